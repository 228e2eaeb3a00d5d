// SPDX-License-Identifier: LGPL-2.1-or-later
// docs/emulator.md knows every event and every operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "backends/emulator/inject.h"
#include "backends/emulator/operation.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path here = std::filesystem::path{__FILE__}.parent_path();

std::string document() {
    std::ifstream in{here / "../../docs/emulator.md"};
    return {std::istreambuf_iterator<char>{in}, {}};
}

TEST(EmulatorDocument, HasEveryEvent) {
    const std::string text = document();
    for (const std::string_view name : event_names()) {
        EXPECT_TRUE(text.find("| `" + std::string{name} + "` |") != std::string::npos ||
                    text.find("| `" + std::string{name} + "`, `") != std::string::npos ||
                    text.find("`, `" + std::string{name} + "` |") != std::string::npos)
            << name;
    }
}

TEST(EmulatorDocument, HasEveryOperation) {
    const std::string text = document();
    std::string words = operation_names() + ",";
    for (std::size_t from = 0; from < words.size();) {
        const std::size_t to = words.find_first_of(", ", from);
        const std::string word = words.substr(from, to - from);
        if (!word.empty() && word != "or") {
            EXPECT_THAT(text, HasSubstr("`" + word + "`"));
        }
        from = to + 1;
    }
}

TEST(EmulatorDocument, HasEveryMachineAndScenarioInTheTree) {
    const std::string text = document();
    std::size_t count = 0;
    for (const char* folder : {"machines", "scenarios"}) {
        for (const auto& entry :
             std::filesystem::directory_iterator(here / "../../backends/emulator" / folder)) {
            EXPECT_THAT(text, HasSubstr("`" + entry.path().stem().string() + "`"));
            ++count;
        }
    }
    EXPECT_GE(count, 11U);
}

}  // namespace
}  // namespace cxlmemd::emulator
