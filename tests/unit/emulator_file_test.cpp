// SPDX-License-Identifier: LGPL-2.1-or-later
// Topology files: what they describe, and where they are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path machines =
    std::filesystem::path(__FILE__).parent_path() / "../../backends/emulator/machines";

Topology scan(MachineDescription description) {
    return make_emulator(std::move(description)).pair.worker_side->scan().value();
}

std::vector<std::string> problems(std::string_view text) {
    std::vector<std::string> out;
    const ParsedMachine parsed = parse_machine(text, "m.toml");
    if (parsed) return out;
    for (const FileProblem& problem : parsed.error()) out.push_back(to_string(problem));
    return out;
}

TEST(EmulatorFile, EveryMachineInTheTreeIsRead) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(machines)) {
        const auto machine = read_machine_file(entry.path().string());
        EXPECT_TRUE(machine) << machine.error().text();
        ++count;
    }
    EXPECT_GE(count, 7U);
}

TEST(EmulatorFile, TheTwoCardServerIsTheMachineWithoutAFile) {
    const auto machine = read_machine_file((machines / "two-card-server.toml").string());
    ASSERT_TRUE(machine) << machine.error().text();
    EXPECT_EQ(scan(*machine), scan(two_card_server()));
}

TEST(EmulatorFile, ALaptopWithNothingHasOneNode) {
    const auto machine = read_machine_file((machines / "laptop-with-nothing.toml").string());
    ASSERT_TRUE(machine);
    const Topology topology = scan(*machine);
    EXPECT_TRUE(topology.memdevs.empty());
    EXPECT_TRUE(topology.dax_devices.empty());
    EXPECT_EQ(topology.nodes.size(), 1U);
}

TEST(EmulatorFile, SixteenTebibytesAreAllThere) {
    const auto machine = read_machine_file((machines / "sixteen-tib-pool.toml").string());
    ASSERT_TRUE(machine);
    EXPECT_EQ(scan(*machine).blocks.size(), 131072U);
}

TEST(EmulatorFile, BrokenTomlIsSaidWithItsPlace) {
    const auto said = problems("block_size = \"128MiB\"\nauto_online = \n");
    ASSERT_EQ(said.size(), 1U);
    EXPECT_THAT(said.front(), HasSubstr("m.toml:2:"));
}

TEST(EmulatorFile, EveryProblemIsSaidInTheOrderOfTheFile) {
    EXPECT_THAT(problems(R"(auto_online = "perhaps"
colour = "blue"
[[memdev]]
name = "mem0"
serial = "0xzz"
host = "0000:0d:00.0"
)"),
                ElementsAre(HasSubstr("m.toml:1:15: error: \"auto_online\" must be offline"),
                            HasSubstr("m.toml:2:1: error: there is no key \"colour\""),
                            HasSubstr("m.toml:5:10: error: \"serial\" of [[memdev]] must be a number")));
}

TEST(EmulatorFile, WhatIsMissingIsSaidAtItsTable) {
    EXPECT_THAT(problems("[[memdev]]\nname = \"mem0\"\nserial = 1\n"),
                ElementsAre("m.toml:1:1: error: \"host\" of [[memdev]] is missing"));
}

TEST(EmulatorFile, NamesAreWhatTheKernelCouldCallADevice) {
    const auto is_refused = [](const std::string& name) {
        const auto said =
            problems("[[dax]]\nname = " + name +
                     "\ntarget_node = 1\nranges = [{ start = 0x100000000, size = \"1GiB\" }]\n");
        return said.size() == 1 && said.front().find("\"name\" of [[dax]] ") != std::string::npos;
    };
    for (const char* name :
         {"'$(reboot)'", "'`reboot`'", "'a b'", "'a;b'", "'-rf'", "'.'", "'..'", "'.a'", "'a/b'", "''",
          "'~root'", "'a*'", "'a\"b'", "\"a'b\"", "'a\\b'", "'dé0'", "\"a\\u001bb\"", "\"a\\nb\""}) {
        EXPECT_TRUE(is_refused(name)) << name;
    }
    EXPECT_TRUE(is_refused("'" + std::string(256, 'a') + "'"));
    for (const char* name : {"'dax0.0'", "'0000:0d:00.0'", "'ACPI0016:00'", "'a_b-c+d@e'", "'0'"}) {
        EXPECT_FALSE(is_refused(name)) << name;
    }
}

TEST(EmulatorFile, DoublesAndUnknownNamesAreErrors) {
    EXPECT_THAT(
        problems(R"([[dax]]
name = "dax0.0"
target_node = 1
region = "region0"
ranges = [{ start = 0x100000000, size = "1GiB" }]
[[dax]]
name = "dax0.0"
target_node = 1
ranges = [{ start = 0x120000000, size = "1GiB" }]
)"),
        ElementsAre(HasSubstr("m.toml:4:10: error: \"region\" of [[dax]] names \"region0\""),
                    HasSubstr("m.toml:7:8: error: \"name\" of [[dax]] is taken"),
                    HasSubstr("m.toml:9:21: error: \"start\" of [[ranges]] lies in the range of another")));
}

TEST(EmulatorFile, ImpossibleNumbersAreErrors) {
    EXPECT_THAT(problems("block_size = \"100MiB\"\n"),
                ElementsAre(HasSubstr("1:14: error: \"block_size\" must be a power")));
    EXPECT_THAT(problems("[[node]]\nid = 5000\n"), ElementsAre(HasSubstr("must be a node")));
    EXPECT_THAT(problems("[[node]]\nid = -1\n"), ElementsAre(HasSubstr("must not be negative")));
    EXPECT_THAT(problems("[[reserved]]\nstart = 0x8000000000000\nsize = \"4096TiB\"\nholder = \"x\"\n"),
                ElementsAre(HasSubstr("\"size\" of [[reserved]]"), HasSubstr("\"size\" of [[reserved]]")));
    EXPECT_THAT(
        problems("[[dax]]\nname = \"d\"\ntarget_node = 1\nranges = [{ start = 0, size = \"1024TiB\" }]\n"),
        ElementsAre(HasSubstr("more than")));
}

TEST(EmulatorFile, BlockListsAreHeldAgainstTheRanges) {
    const auto said = [](const std::string& blocks, const std::string& more = "") {
        return problems(
            "[[dax]]\nname = \"dax0.0\"\ntarget_node = 1\n"
            "ranges = [{ start = 0x100000000, size = \"1GiB\" }, { start = 0x200000000, size = \"256MiB\" "
            "}]\n"
            "blocks = " +
            blocks + "\n" + more);
    };
    EXPECT_THAT(said("{ offline = \"32-35\", movable = \"36-39\" }"), ElementsAre());
    EXPECT_THAT(said("{ kernel = \"64,65\" }"), ElementsAre());
    EXPECT_THAT(said("{}"), ElementsAre());
    const std::string unbound = "mode = \"unbound\"\n";
    EXPECT_THAT(said("{ movable = \"33\", node = 5 }", unbound), ElementsAre());
    EXPECT_THAT(
        said("{ movable = \"32-38\" }"),
        ElementsAre("m.toml:5:10: error: \"blocks\" of [[dax]] must name all blocks of 32-39 or none, as the "
                    "kernel adds a range whole"));
    EXPECT_THAT(said("{ movable = \"32-39\", kernel = \"39\" }"),
                ElementsAre(HasSubstr("5:10: error: \"blocks\" of "
                                      "[[dax]] names block 39 twice")));
    EXPECT_THAT(said("{ movable = \"32-40\" }"),
                ElementsAre(HasSubstr("names blocks 32-40, which are not all in one")));
    EXPECT_THAT(said("{ movable = \"31\" }"),
                ElementsAre(HasSubstr("names blocks 31-31, which are not all")));
    for (const char* bad : {"", "3-", "-3", "5-4", "1,,2", "0x20", "1 - 2", "99999999999999999999", "1-"}) {
        EXPECT_THAT(
            said("{ offline = \"" + std::string{bad} + "\" }"),
            ElementsAre(HasSubstr("5:22: error: \"offline\" of [blocks] must be a list of memory blocks")))
            << bad;
    }
    EXPECT_THAT(said("{ online = \"32-39\" }"),
                ElementsAre(HasSubstr("5:12: error: there is no key \"online\"")));
    EXPECT_THAT(said("\"everywhere\""),
                ElementsAre(HasSubstr("5:10: error: \"blocks\" of [[dax]] must be offline")));
    EXPECT_THAT(said("{ movable = \"33\", node = -1 }", unbound),
                ElementsAre(HasSubstr("cannot be on a negative node")));
}

TEST(EmulatorFile, PortsSayWhatARootDecoderLeadsTo) {
    const std::string ports = R"([[port]]
name = "port1"
[[port]]
name = "port2"
parent = "port1"
[[port]]
name = "port3"
[[memdev]]
name = "mem0"
serial = 1
host = "0000:0d:00.0"
port = "port2"
[[memdev]]
name = "mem1"
serial = 1
host = "0000:0e:00.0"
port = "port3"
[[root_decoder]]
name = "decoder0.0"
start = 0x590000000
size = "4GiB"
)";
    const auto decoder = [&](const std::string& more) {
        return scan(parse_machine(ports + more, "m.toml").value()).root_decoders.front();
    };
    EXPECT_THAT(decoder("").memdevs, ElementsAre("mem0", "mem1"));
    EXPECT_THAT(decoder("targets = [\"port1\"]\n").memdevs, ElementsAre("mem0"));
    EXPECT_THAT(decoder("targets = [\"port3\", \"port1\"]\n").memdevs, ElementsAre("mem0", "mem1"));
    EXPECT_EQ(decoder("targets = [\"port3\", \"port1\"]\n").interleave_ways, 2U);
    EXPECT_THAT(decoder("memdevs = []\n").memdevs, ElementsAre());
    EXPECT_THAT(
        problems(ports + "targets = [\"port9\"]\n"),
        ElementsAre(
            "m.toml:22:11: error: \"targets\" of [[root_decoder]] names \"port9\", which is not described"));
    EXPECT_THAT(
        problems(ports + "targets = [\"port1\"]\nmemdevs = [\"mem0\"]\n"),
        ElementsAre(HasSubstr("m.toml:23:11: error: \"memdevs\" of [[root_decoder]] goes without targets")));
    EXPECT_THAT(problems("[[port]]\nname = \"a\"\nparent = \"b\"\n[[port]]\nname = \"a\"\n"),
                ElementsAre(HasSubstr("m.toml:3:10: error: \"parent\" of [[port]] names \"b\""),
                            HasSubstr("m.toml:5:8: error: \"name\" of [[port]] is taken")));
    EXPECT_THAT(problems("[[memdev]]\nname = \"mem0\"\nserial = 1\nhost = \"h\"\nport = \"p\"\n"),
                ElementsAre(HasSubstr("m.toml:5:8: error: \"port\" of [[memdev]] names \"p\"")));
}

TEST(EmulatorFile, WhatANodeShowsIsWithinItsLimits) {
    EXPECT_THAT(
        problems("[[node]]\nid = 1\ntier = -2\ninterleave_weight = 256\npresent = 1\n"
                 "access = { shown = \"yes\" }\n"),
        ElementsAre(
            HasSubstr("m.toml:3:8: error: \"tier\" of [[node]] must be a tier from 0 to 65535, or -1"),
            HasSubstr("m.toml:4:21: error: \"interleave_weight\" of [[node]] must be a number"),
            HasSubstr("m.toml:5:11: error: \"present\" of [[node]] must be true or false"),
            HasSubstr("m.toml:6:20: error: \"shown\" of [access] must be true or false")));
}

TEST(EmulatorFile, LimitsHoldAgainstHostileText) {
    EXPECT_EQ(problems(std::string(max_file_bytes + 1, ' ')).size(), 1U);
    std::string deep;
    for (int i = 0; i < 200000; ++i) deep += "a.";
    EXPECT_EQ(problems(deep + "a = 1\n").size(), 1U);
}

TEST(EmulatorFile, AFileThatIsNotThereIsNamed) {
    const auto machine = read_machine_file("/nonexistent/machine.toml");
    ASSERT_FALSE(machine);
    EXPECT_THAT(machine.error().text(), HasSubstr("/nonexistent/machine.toml"));
    EXPECT_THAT(machine.error().text(), HasSubstr("ENOENT"));
}

}  // namespace
}  // namespace cxlmemd::emulator
