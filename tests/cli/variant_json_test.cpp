// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/variant_json.h"

#include <gtest/gtest.h>

#include <map>

namespace cxlmemctl {
namespace {

using nlohmann::json;
using sdbus::Variant;

TEST(VariantJson, KeepsPlainTypes) {
    EXPECT_EQ(to_json(Variant{true}), true);
    EXPECT_EQ(to_json(Variant{std::int32_t{-1}}), -1);
    EXPECT_EQ(to_json(Variant{std::uint64_t{0xfedcba9876543210}}), 0xfedcba9876543210U);
    EXPECT_EQ(to_json(Variant{0.5}), 0.5);
    EXPECT_EQ(to_json(Variant{std::string("online")}), "online");
    EXPECT_EQ(to_json(Variant{sdbus::ObjectPath{"/a/b"}}), "/a/b");
    EXPECT_EQ(to_json(Variant{std::vector<std::string>{"a", "b"}}), json::array({"a", "b"}));
}

TEST(VariantJson, NamesTheFieldsOfStructs) {
    using Problem = sdbus::Struct<std::string, std::uint32_t, std::uint32_t, std::string, std::string>;
    const std::map<std::string, Variant> properties = {
        {"PolicyProblems", Variant{std::vector<Problem>{Problem{"a.toml", 3U, 8U, "error", "what"}}}},
        {"LastError", Variant{sdbus::Struct<std::string, std::string>{"Busy", "pinned"}}},
    };
    const json out = dictionary_to_json(properties);
    EXPECT_EQ(
        out["PolicyProblems"][0],
        (json{{"file", "a.toml"}, {"line", 3}, {"column", 8}, {"severity", "error"}, {"message", "what"}}));
    using Rejected =
        sdbus::Struct<std::string, std::string, std::uint32_t, std::string, std::string, std::string>;
    const std::map<std::string, Variant> told = {
        {"rejected", Variant{std::vector<Rejected>{Rejected{"r", "a.toml", 3U, "size", "> 1GiB", "1MiB"}}}}};
    EXPECT_EQ(dictionary_to_json(told)["rejected"][0], (json{{"rule", "r"},
                                                             {"file", "a.toml"},
                                                             {"line", 3},
                                                             {"key", "size"},
                                                             {"want", "> 1GiB"},
                                                             {"seen", "1MiB"}}));
    EXPECT_EQ(out["LastError"], (json{{"name", "Busy"}, {"message", "pinned"}}));
}

TEST(VariantJson, ReadsDictionariesInsideDictionaries) {
    const std::map<std::string, Variant> step = {{"action", Variant{std::string("online")}}};
    const std::vector<std::map<std::string, Variant>> steps = {step};
    EXPECT_EQ(to_json(Variant{steps}), json::parse(R"([{"action": "online"}])"));
}

TEST(VariantJson, SaysThatItDoesNotKnowAType) {
    const std::map<std::uint32_t, std::string> strange = {{1U, "x"}};
    EXPECT_EQ(to_json(Variant{strange}), "<signature a{us}>");
}

}  // namespace
}  // namespace cxlmemctl
