// SPDX-License-Identifier: LGPL-2.1-or-later
// [[node]] and [[region]].
#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::BadCase;
using test::policy_of;
using test::problems_of;
using testing::ElementsAre;

std::vector<std::string> errors_of(std::string_view text) {
    std::vector<Problem> problems = test::compile_text(std::string{text}).problems;
    std::erase_if(problems, [](const Problem& p) { return p.severity == Severity::warning; });
    return test::lines_of(problems);
}

TEST(CompileTables, ASecondNodeTableOnTheSameNodesIsAWarning) {
    const auto two = [](const char* first, const char* second) {
        const std::string head = "[[node]]\ninterleave_weight = 2\nmatch = ";
        return problems_of(head + first + "\n" + head + second + "\n");
    };
    EXPECT_THAT(
        two("{ id = [1, 2] }", "{ id = 2 }"),
        ElementsAre("4:1: warning: this [[node]] never decides: the one at a.toml:1:1 comes first and "
                    "matches whatever it does"));
    EXPECT_THAT(two("{ kind = \"cxl-ram\" }", "{ kind = \"cxl-ram\" }"), testing::SizeIs(1));
    EXPECT_THAT(two("{ id = 1 }", "{ id = [1, 2] }"), testing::IsEmpty());
    EXPECT_THAT(two("{ id = 1 }", "{ kind = \"cxl-ram\" }"), testing::IsEmpty());
}

TEST(CompileTables, NamesOfARegionThatCanNeverFitAreWarnings) {
    EXPECT_THAT(problems_of("[[region]]\nname = \"r\"\nmemdev_host = \"e2:00.0\"\nroot_decoder = \"0.0\"\n"),
                ElementsAre(testing::HasSubstr("the kernel writes \"0000:e2:00.0\""),
                            testing::HasSubstr("the kernel writes \"decoder0.0\"")));
}

TEST(CompileNode, TakesIdsAndAWeight) {
    const Policy policy = policy_of("[[node]]\nmatch = { id = [1, 2] }\ninterleave_weight = 255\n");
    ASSERT_EQ(policy.nodes.size(), 1U);
    EXPECT_EQ(policy.nodes[0].place, (Place{"a.toml", 1, 1}));
    EXPECT_THAT(policy.nodes[0].id, ElementsAre(NodeId{1}, NodeId{2}));
    EXPECT_EQ(policy.nodes[0].interleave_weight, 255U);
}

TEST(CompileNode, TakesAKindWithAutoAndLeave) {
    const Policy policy = policy_of(
        "[[node]]\nmatch.kind = \"cxl-ram\"\ninterleave_weight = \"auto\"\n"
        "[[node]]\nmatch.kind = \"hmem\"\ninterleave_weight = \"leave\"\n");
    ASSERT_EQ(policy.nodes.size(), 2U);
    EXPECT_THAT(policy.nodes[0].kind, ElementsAre(DaxKind::cxl_ram));
    EXPECT_EQ(policy.nodes[0].interleave_weight, 0U);
    EXPECT_EQ(policy.nodes[1].interleave_weight, std::nullopt);
}

TEST(CompileRegion, TakesEveryKey) {
    const Policy policy = policy_of(R"([[region]]
name = "pool0"
type = "pmem"
memdev_serial = ["0x2", 1]
root_decoder = "decoder0.1"
interleave_granularity = "4KiB"
size = "16GiB"
)");
    ASSERT_EQ(policy.regions.size(), 1U);
    EXPECT_EQ(policy.regions[0], (RegionWish{"pool0",
                                             {"a.toml", 1, 1},
                                             RegionType::pmem,
                                             {2, 1},
                                             "decoder0.1",
                                             std::nullopt,
                                             4096,
                                             Bytes{16ULL << 30}}));
}

TEST(CompileRegion, GivesDefaultsForWhatIsNotSaid) {
    const Policy policy = policy_of("[[region]]\nname = \"p\"\nmemdev_serial = 1\n");
    EXPECT_EQ(
        policy.regions.at(0),
        (RegionWish{
            "p", {"a.toml", 1, 1}, RegionType::ram, {1}, "", std::nullopt, std::nullopt, std::nullopt}));
}

TEST(CompileRegion, TakesANodeWithTheDecoderLeftToUs) {
    const Policy policy = policy_of(
        "[[region]]\nname = \"p\"\nmemdev_serial = 1\nroot_decoder = \"auto\"\nnode = 2\nsize = \"max\"\n");
    EXPECT_EQ(policy.regions.at(0).node, NodeId{2});
    EXPECT_EQ(policy.regions.at(0).root_decoder, "");
}

TEST(CompileRegion, TakesHostsBesideOrInsteadOfSerials) {
    const Policy hosts = policy_of("[[region]]\nname = \"p\"\nmemdev_host = \"0000:0d:00.0\"\n");
    EXPECT_THAT(hosts.regions.at(0).memdev_host, testing::ElementsAre("0000:0d:00.0"));
    EXPECT_EQ(hosts.regions.at(0).ways(), 1U);
    const Policy both = policy_of(
        "[[region]]\nname = \"p\"\nmemdev_serial = [0, 0]\n"
        "memdev_host = [\"0000:0d:00.0\", \"0000:0e:00.0\"]\n");
    EXPECT_THAT(both.regions.at(0).memdev_serial, testing::ElementsAre(0, 0));
    EXPECT_EQ(both.regions.at(0).ways(), 2U);
}

class BadTable : public testing::TestWithParam<BadCase> {};
TEST_P(BadTable, IsSaidAtItsPlace) {
    EXPECT_EQ(errors_of(GetParam().text), GetParam().problems);
}

#define NODE "[[node]]\nmatch.id = 1\n"
#define REGION "[[region]]\nname = \"p\"\nmemdev_serial = [1, 2]\n"

const std::vector<BadCase> bad_tables{
    {"UnknownTable",
     "[[rules]]\nname = \"r\"",
     {"1:3: error: unknown key 'rules' in a policy file; did you mean 'rule'?"}},
    {"TableOfARuleAtTheTop",
     "[memory]\nzone = \"kernel\"",
     {"1:2: error: unknown key 'memory' in a policy file; it belongs in [[rule]]"}},
    {"KeyOfDaemonToml",
     "auto_online = \"manage\"",
     {"1:1: error: unknown key 'auto_online' in a policy file; it belongs in daemon.toml"}},
    {"NodeWithoutMatch",
     "[[node]]\ninterleave_weight = 1",
     {"1:1: error: this [[node]] has no match; write match = { id = [1] } or { kind = \"cxl-ram\" }"}},
    {"NodeMatchEmpty", "[[node]]\nmatch = {}\ninterleave_weight = 1", {"2:9: error: match needs id or kind"}},
    {"NodeMatchByBoth",
     "[[node]]\nmatch = { id = 1, kind = \"hmem\" }\ninterleave_weight = 1",
     {"2:9: error: match takes id or kind, not both"}},
    {"NodeMatchUnknownKey",
     "[[node]]\nmatch = { id = 1, kin = \"hmem\" }\ninterleave_weight = 1",
     {"2:19: error: unknown key 'kin' in match of [[node]]; did you mean 'kind'?"}},
    {"NodeWithoutWeight", NODE, {"1:1: error: this [[node]] does nothing; add interleave_weight"}},
    {"WeightZero",
     NODE "interleave_weight = 0",
     {"3:21: error: 0 is out of range: interleave_weight takes 1 to 255"}},
    {"WeightTooLarge",
     NODE "interleave_weight = 256",
     {"3:21: error: 256 is out of range: interleave_weight takes 1 to 255"}},
    {"WeightWord",
     NODE "interleave_weight = \"automatic\"",
     {R"(3:21: error: 'automatic' is not an interleave_weight: "auto", "leave" or an integer from 1 to 255)"}},
    {"WeightOfWrongType",
     NODE "interleave_weight = 1.5",
     {R"(3:21: error: interleave_weight takes "auto", "leave" or an integer from 1 to 255, not a float)"}},
    {"NodeAsOneTable",
     "[node]\nmatch.id = 1\ninterleave_weight = 1",
     {"1:1: error: [node] is one table; write [[node]]"}},
    {"RegionWithoutName",
     "[[region]]\nmemdev_serial = 1",
     {"1:1: error: this region has no name; add name = \"...\""}},
    {"RegionWithoutCards",
     "[[region]]\nname = \"p\"",
     {"1:1: error: this region has no memdev_serial or memdev_host: list the cards that it is made of"}},
    {"RegionNameTwice",
     REGION "[[region]]\nname = \"p\"\nmemdev_serial = 1",
     {"5:8: error: region 'p' exists already at a.toml:2:8; every region has a name of its own"}},
    {"RegionTypeUnknown",
     REGION "type = \"volatile\"",
     {"4:8: error: 'volatile' is not a type: ram or pmem"}},
    {"SerialTwice",
     "[[region]]\nname = \"p\"\nmemdev_serial = [\"0x1f\", 31]",
     {"3:17: error: serial 0x1f is listed twice"}},
    {"HostTwice",
     "[[region]]\nname = \"p\"\nmemdev_serial = [0, 0]\nmemdev_host = [\"0000:0d:00.0\", \"0000:0d:00.0\"]",
     {"4:15: error: host 0000:0d:00.0 is listed twice"}},
    {"HostsOfOtherCards",
     REGION "memdev_host = \"0000:0d:00.0\"",
     {"4:15: error: memdev_host lists 1 cards, memdev_serial 2: list the same cards in the same order, or "
      "leave one of them out"}},
    {"HostAsAPattern",
     "[[region]]\nname = \"p\"\nmemdev_host = [\"0000:0d:*\"]",
     {"3:16: error: '0000:0d:*' is a pattern: memdev_host of a region names one card, such as "
      "\"0000:0d:00.0\""}},
    {"HostOfWrongType",
     "[[region]]\nname = \"p\"\nmemdev_host = 13",
     {"3:15: error: memdev_host takes a string, not an integer"}},
    {"WaysOfHosts",
     "[[region]]\nname = \"p\"\nmemdev_host = [\"a\", \"b\", \"c\", \"d\", \"e\"]",
     {"3:15: error: 5 memdevs cannot be interleaved: CXL takes 1, 2, 3, 4, 6, 8, 12 or 16"}},
    {"SizeForHosts",
     "[[region]]\nname = \"p\"\nmemdev_host = [\"a\", \"b\"]\nsize = \"256MiB\"",
     {"4:8: error: 256MiB is not a multiple of 512MiB, 256MiB for each of 2 memdevs"}},
    {"WaysThatCxlHasNot",
     "[[region]]\nname = \"p\"\nmemdev_serial = [1, 2, 3, 4, 5]",
     {"3:17: error: 5 memdevs cannot be interleaved: CXL takes 1, 2, 3, 4, 6, 8, 12 or 16"}},
    {"DecoderAndNode",
     REGION "node = 1\nroot_decoder = \"decoder0.0\"",
     {"4:1: error: a region takes root_decoder or node, not both"}},
    {"GranularityNoPowerOfTwo",
     REGION "interleave_granularity = 300",
     {"4:26: error: interleave_granularity is a power of two from 256 to 16384"}},
    {"GranularityTooSmall",
     REGION "interleave_granularity = 128",
     {"4:26: error: interleave_granularity is a power of two from 256 to 16384"}},
    {"GranularityTooLarge",
     REGION "interleave_granularity = \"32KiB\"",
     {"4:26: error: interleave_granularity is a power of two from 256 to 16384"}},
    {"GranularityNegative",
     REGION "interleave_granularity = -256",
     {"4:26: error: interleave_granularity is a power of two from 256 to 16384"}},
    {"SizeWord",
     REGION "size = \"all\"",
     {R"(4:8: error: 'all' is not a size: "max" or a size such as "16GiB")"}},
    {"SizeZero", REGION "size = \"0GiB\"", {"4:8: error: a region's size is more than 0"}},
    {"SizeThatTheDecodersCannotHave",
     REGION "size = \"256MiB\"",
     {"4:8: error: 256MiB is not a multiple of 512MiB, 256MiB for each of 2 memdevs"}},
    {"UnknownKey", REGION "granularity = 256", {"4:1: error: unknown key 'granularity' in [[region]]"}},
};
INSTANTIATE_TEST_SUITE_P(Compile, BadTable, testing::ValuesIn(bad_tables), test::behaviour_of);

}  // namespace
}  // namespace cxlmemd
