// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::BadCase;
using test::in_match;
using test::policy_of;
using test::problems_of;
using testing::ElementsAre;
using testing::IsEmpty;

Match match_of(std::string_view keys) {
    const Policy policy = policy_of(in_match(keys));
    return policy.rules.empty() ? Match{} : policy.rules.front().match;
}

TEST(CompileMatch, WithoutATableMatchesEverything) {
    const Policy policy = policy_of("[[rule]]\nname = \"r\"\nmemory.mode = \"ignore\"\n");
    ASSERT_EQ(policy.rules.size(), 1U);
    EXPECT_EQ(policy.rules.front().match, Match{});
}

TEST(CompileMatch, TextThatCanNeverFitIsAWarningWithTheRightSpelling) {
    const auto warned = [](std::string_view keys, std::string_view words) {
        const auto problems = problems_of(in_match(keys));
        EXPECT_THAT(problems,
                    ElementsAre(testing::AllOf(testing::HasSubstr("warning: "), testing::HasSubstr(words))))
            << keys;
    };
    warned(R"(memdev_host = "e2:00.0")",
           R"(no host of a card is called 'e2:00.0': the kernel writes "0000:e2:00.0")");
    warned(R"(memdev_host = "0000:E2:00.0")", R"(the kernel writes "0000:e2:00.0")");
    warned(R"(memdev_host = ["0000:0d:00.0", "E2:*"])", R"(the kernel writes "0000:e2:*")");
    warned(R"(memdev_host = "mem0")", "that is a memdev");
    warned(R"(dax = "/dev/dax0.0")", R"(no dax device is called '/dev/dax0.0': the kernel writes "dax0.0")");
    warned(R"(dax = "dax0")", R"(the kernel writes "dax0.*")");
    warned(R"(dax = "0.*")", R"(the kernel writes "dax0.*")");
    warned(R"(region = "0")", R"(the kernel writes "region0")");
    warned(R"(region = "Region1*")", R"(the kernel writes "region1*")");
    warned(R"(region = "pool")", R"(the kernel writes such names as "region0")");
    warned(R"(root_decoder = "0.0")", R"(the kernel writes "decoder0.0")");
    warned(R"(root_decoder = "decoder0")", R"(the kernel writes "decoder0.*")");
    warned(
        "size = 16",
        R"(size of 16 bytes is smaller than any memory: without a unit it is bytes; for GiB write "16GiB")");
    warned(R"(size = [">= 16", "4GiB"])", "16GiB");
}

TEST(CompileMatch, TextThatCanFitIsNoWarning) {
    for (const char* fine :
         {R"(memdev_host = "0000:0d:*")", R"(memdev_host = "*:e2:00.0")", R"(memdev_host = "*")",
          R"(memdev_host = "10000:01:00.0")", R"(memdev_host = "0000:[0-9a-f]*")",
          R"(memdev_host = "cxl_mem.0")", R"(dax = "dax*")", R"(dax = "*0.0")", R"(dax = "dax?.?")",
          R"(region = "region?")", R"(region = "*")", R"(root_decoder = "decoder*")", R"(size = "> 0")",
          R"(size = 1048576)"})
        EXPECT_THAT(problems_of(in_match(fine)), IsEmpty()) << fine;
}

TEST(CompileMatch, TakesWhichMachineItIs) {
    const Match match = match_of(R"(
        host = "db*"
        virtualization = [true, "!vm"]
        kernel_version = ">= 6.12 < 7"
        firmware_vendor = "ACME*"
        product = ["A", "B"]
        backed_by = "cxl")");
    EXPECT_THAT(match.host, ElementsAre(Glob{"db*"}));
    EXPECT_THAT(match.virtualization, ElementsAre("yes", "!vm"));
    EXPECT_THAT(match.kernel_version, ElementsAre(">= 6.12 < 7"));
    EXPECT_THAT(match.product, ElementsAre(Glob{"A"}, Glob{"B"}));
    EXPECT_THAT(match.backed_by, ElementsAre(Backing::cxl));
    EXPECT_THAT(problems_of(in_match(R"(virtualization = "kwm")")),
                ElementsAre(testing::HasSubstr("did you mean 'kvm'?")));
    EXPECT_THAT(problems_of(in_match(R"(kernel_version = ">= new")")),
                ElementsAre(testing::HasSubstr("error")));
    EXPECT_THAT(problems_of(in_match(R"(backed_by = "dram")")), ElementsAre(testing::HasSubstr("error")));
}

TEST(CompileMatch, TakesOneKind) {
    EXPECT_THAT(match_of("kind = \"hmem\"").kind, ElementsAre(DaxKind::hmem));
}

TEST(CompileMatch, TakesAListOfKindsInTheirOrder) {
    EXPECT_THAT(match_of(R"(kind = ["pmem", "cxl-pmem", "hmem", "cxl-ram"])").kind,
                ElementsAre(DaxKind::pmem, DaxKind::cxl_pmem, DaxKind::hmem, DaxKind::cxl_ram));
}

TEST(CompileMatch, TakesSerialsAsNumbersAndAsText) {
    EXPECT_THAT(match_of(R"(memdev_serial = ["0x1f", 42, "43", 0x2a])").memdev_serial,
                ElementsAre(0x1f, 42, 43, 0x2a));
}

TEST(CompileMatch, TakesSerialsOfAll64Bits) {
    EXPECT_THAT(match_of(R"(memdev_serial = ["0xffffffffffffffff", "18446744073709551615"])").memdev_serial,
                ElementsAre(~0ULL, ~0ULL));
}

TEST(CompileMatch, TakesGlobs) {
    const Match match = match_of(R"(
        memdev_host = "0000:0d:*"
        region = ["region*", "region[0-3]"]
        root_decoder = "decoder0.?"
        dax = "dax0.*")");
    EXPECT_THAT(match.memdev_host, ElementsAre(Glob{"0000:0d:*"}));
    EXPECT_THAT(match.region, ElementsAre(Glob{"region*"}, Glob{"region[0-3]"}));
    EXPECT_THAT(match.root_decoder, ElementsAre(Glob{"decoder0.?"}));
    EXPECT_THAT(match.dax, ElementsAre(Glob{"dax0.*"}));
}

TEST(CompileMatch, TakesNodesAndQosClasses) {
    const Match match = match_of("target_node = [1, 1023]\nqos_class = 0");
    EXPECT_THAT(match.target_node, ElementsAre(NodeId{1}, NodeId{1023}));
    EXPECT_THAT(match.qos_class, ElementsAre(0));
}

TEST(CompileMatch, TakesComparisonsOfSizes) {
    const Match match = match_of(R"(size = [">= 16GiB", "512MiB", 4096])");
    EXPECT_THAT(match.size,
                ElementsAre(Compare{Comparison::greater_equal, 16ULL << 30},
                            Compare{Comparison::equal, 512ULL << 20}, Compare{Comparison::equal, 4096}));
}

TEST(CompileMatch, ReadsABareLatencyAsNanoseconds) {
    const Match match = match_of("read_latency = 400\nwrite_latency = \"<= 1us\"");
    EXPECT_THAT(match.read_latency, ElementsAre(Compare{Comparison::equal, 400}));
    EXPECT_THAT(match.write_latency, ElementsAre(Compare{Comparison::less_equal, 1000}));
}

TEST(CompileMatch, ReadsABareBandwidthAsMegabytesPerSecond) {
    const Match match = match_of("read_bandwidth = \"> 16000\"\nwrite_bandwidth = \"16GB/s\"");
    EXPECT_THAT(match.read_bandwidth, ElementsAre(Compare{Comparison::greater, 16000}));
    EXPECT_THAT(match.write_bandwidth, ElementsAre(Compare{Comparison::equal, 16000}));
}

TEST(CompileMatch, TakesInterleaveWaysAsNumberOrComparison) {
    EXPECT_THAT(match_of("interleave_ways = 2").interleave_ways, ElementsAre(Compare{Comparison::equal, 2}));
    EXPECT_THAT(match_of("interleave_ways = \">1\"").interleave_ways,
                ElementsAre(Compare{Comparison::greater, 1}));
}

TEST(CompileMatch, TakesPhysRangesWithBothEnds) {
    EXPECT_THAT(match_of(R"(phys_range = "0x590000000-0x98fffffff")").phys_range,
                ElementsAre(std::pair{PhysAddr{0x590000000}, PhysAddr{0x98fffffff}}));
}

TEST(CompileMatch, TakesAnInlineTable) {
    const Policy policy = policy_of(
        "[[rule]]\nname = \"r\"\nmatch = { kind = \"hmem\", target_node = 1 }\nmemory = { mode = \"devdax\" "
        "}\n");
    EXPECT_THAT(policy.rules.front().match.kind, ElementsAre(DaxKind::hmem));
    EXPECT_THAT(policy.rules.front().match.target_node, ElementsAre(NodeId{1}));
}

class BadMatch : public testing::TestWithParam<BadCase> {};

TEST_P(BadMatch, IsSaidAtItsPlace) {
    EXPECT_EQ(problems_of(in_match(GetParam().text)), GetParam().problems);
}

const std::vector<BadCase> bad_matches{
    {"UnknownKey", "knd = \"hmem\"", {"5:1: error: unknown key 'knd' in [rule.match]; did you mean 'kind'?"}},
    {"UnknownKeyWithoutALikeness", "flavour = 1", {"5:1: error: unknown key 'flavour' in [rule.match]"}},
    {"UnknownKeyWithAnotherSpelling",
     "Target-Node = 1",
     {"5:1: error: unknown key 'Target-Node' in [rule.match]; did you mean 'target_node'?"}},
    {"KeyOfAnotherTable",
     "zone = \"movable\"",
     {"5:1: error: unknown key 'zone' in [rule.match]; it belongs in [rule.memory]"}},
    {"KeyWithControlCharacters",
     R"("a\u001b[0m" = 1)",
     {R"(5:1: error: unknown key 'a\x1b[0m' in [rule.match])"}},
    {"KindUnknown",
     "kind = \"cxlram\"",
     {"5:8: error: 'cxlram' is not a kind: cxl-ram, cxl-pmem, hmem or pmem"}},
    {"KindOfWrongType",
     "kind = 1",
     {R"(5:8: error: kind takes "cxl-ram", "cxl-pmem", "hmem" or "pmem", not an integer)"}},
    {"KindListOfLists",
     "kind = [[\"hmem\"]]",
     {R"(5:9: error: kind takes "cxl-ram", "cxl-pmem", "hmem" or "pmem", not a list)"}},
    {"EmptyList", "kind = []", {"5:8: error: an empty list fits nothing; leave kind out to allow any"}},
    {"EachBadEntryOfAList",
     "kind = [\"ram\", \"hmem\",\n  true]",
     {"5:9: error: 'ram' is not a kind: cxl-ram, cxl-pmem, hmem or pmem",
      R"(6:3: error: kind takes "cxl-ram", "cxl-pmem", "hmem" or "pmem", not a boolean)"}},
    {"SerialNegative",
     "memdev_serial = -1",
     {"5:17: error: -1 is not a serial number: it cannot be negative; write a large one as a string, "
      "\"0xffffffffffffffff\""}},
    {"SerialHexWithoutPrefix",
     "memdev_serial = \"1f\"",
     {"5:17: error: '1f' is not a serial number; did you mean '0x1f'?"}},
    {"SerialTooLarge",
     "memdev_serial = \"0x10000000000000000\"",
     {"5:17: error: '0x10000000000000000' is not a serial number; it has more than 64 bits"}},
    {"SerialNegativeText",
     "memdev_serial = \"-1\"",
     {"5:17: error: '-1' is not a serial number; write it in decimal or as 0x and hex digits"}},
    {"SerialEmpty",
     "memdev_serial = \"\"",
     {"5:17: error: '' is not a serial number; write it in decimal or as 0x and hex digits"}},
    {"SerialFloat",
     "memdev_serial = 1.0",
     {"5:17: error: memdev_serial takes a number, or a string in decimal or 0x hex, not a float"}},
    {"SerialBeyondTomlIntegers",
     "memdev_serial = 18446744073709551615",
     {"5:37: error: bad TOML in decimal integer: '18446744073709551615' is not representable in 64 bits; "
      "write a number this large as a string"}},
    {"GlobEmpty", "dax = \"\"", {"5:7: error: an empty pattern matches nothing; \"*\" matches all"}},
    {"GlobOfWrongType",
     "region = 0",
     {"5:10: error: region takes a pattern such as \"region*\", not an integer"}},
    {"GlobWithControlCharacter",
     R"(memdev_host = "a\nb")",
     {R"(5:15: error: 'a\x0ab' has a control character in it; no device name has)"}},
    {"GlobUnquoted",
     "memdev_host = 0000:0d:*",
     {"5:17: error: '0000:0d:*' is not a number, true or false; anything else stands in quotes: "
      "\"0000:0d:*\""}},
    {"NodeNegative", "target_node = -1", {"5:15: error: -1 is out of range: target_node takes 0 to 1023"}},
    {"NodeTooLarge",
     "target_node = [1, 1024]",
     {"5:19: error: 1024 is out of range: target_node takes 0 to 1023"}},
    {"NodeAsText",
     "target_node = \"1\"",
     {"5:15: error: target_node takes an integer from 0 to 1023, not a string"}},
    {"QosClassNegative", "qos_class = -1", {"5:13: error: -1 is out of range: qos_class takes 0 to 65535"}},
    {"SizeInDecimalUnits", "size = \">= 16GB\"", {"5:8: error: '16GB' is not a size; did you mean '16GiB'?"}},
    {"SizeInAShortUnit", "size = \"16g\"", {"5:8: error: '16g' is not a size; did you mean '16GiB'?"}},
    {"SizeInAnotherCase", "size = \"16gib\"", {"5:8: error: '16gib' is not a size; did you mean '16GiB'?"}},
    {"SizeWithFraction",
     "size = \"1.5TiB\"",
     {"5:8: error: '1.5TiB' is not a whole number; take a smaller unit"}},
    {"SizeInAForeignUnit",
     "size = \"16 pages\"",
     {"5:8: error: '16 pages' is not a size; the units are B, KiB, MiB, GiB or TiB, as in \"16GiB\""}},
    {"SizeOfTwoParts",
     "size = \"1GiB 512MiB\"",
     {"5:8: error: '1GiB 512MiB' is not a size; write one number and one unit, such as \"16GiB\""}},
    {"SizeTooLarge",
     "size = \"99999999999TiB\"",
     {"5:8: error: '99999999999TiB' is too large: it does not fit into 64 bits"}},
    {"SizeZero", "size = 0", {"5:8: error: '0' never holds: the size is 1B or more"}},
    {"SizeLessThanAnything", "size = \"< 1\"", {"5:8: error: '< 1' never holds: the size is 1B or more"}},
    {"SizeNegative", "size = -4096", {"5:8: error: -4096 is not a size; it cannot be negative"}},
    {"SizeWithoutNumber",
     "size = \">=\"",
     {"5:8: error: '' is not a size; write a whole number and a unit, such as \"16GiB\""}},
    {"SizeFloat",
     "size = 1.5",
     {R"(5:8: error: size takes a comparison such as ">= 16GiB", or bytes, not a float)"}},
    {"SizeUnquoted",
     "size = 16GiB",
     {"5:10: error: '16GiB' is not a number, true or false; anything else stands in quotes: \"16GiB\""}},
    {"ComparisonUnquoted",
     "size = >= 16GiB",
     {"5:8: error: '>= 16GiB' is not a number, true or false; anything else stands in quotes: \">= 16GiB\""}},
    {"OperatorSwapped",
     "size = \"=> 1GiB\"",
     {"5:8: error: '=> 1GiB' is not a comparison; the operators are <, <=, =, >= and >"}},
    {"OperatorNotEqual",
     "size = \"!= 1GiB\"",
     {"5:8: error: '!= 1GiB' is not a comparison; the operators are <, <=, =, >= and >"}},
    {"SizesThatTogetherAlwaysHold",
     "size = [\">= 16GiB\", \"< 1TiB\"]",
     {"5:8: warning: this list holds for every size: a list means any of, not all of"}},
    {"WaysThatCxlHasNot",
     "interleave_ways = 5",
     {"5:19: error: '5' never holds: CXL interleaves 1, 2, 3, 4, 6, 8, 12 or 16 ways"}},
    {"WaysBeyondCxl",
     "interleave_ways = \"> 16\"",
     {"5:19: error: '> 16' never holds: the number of interleave ways is 16 or less"}},
    {"WaysWithUnit",
     "interleave_ways = \"2 ways\"",
     {"5:19: error: '2 ways' is not a number of interleave ways; write a whole number, such as 2"}},
    {"LatencyInASystemdUnit",
     "read_latency = \"<= 400nsec\"",
     {"5:16: error: '400nsec' is not a latency; did you mean '400ns'?"}},
    {"LatencyBeyondTheKernel",
     "write_latency = \"> 5s\"",
     {"5:17: error: '> 5s' never holds: the latency is 4294967295ns or less"}},
    {"BandwidthInBinaryUnits",
     "read_bandwidth = \">= 16GiB/s\"",
     {"5:18: error: '16GiB/s' is not a bandwidth; did you mean '16GB/s'?"}},
    {"BandwidthWithoutPerSecond",
     "write_bandwidth = \"16GB\"",
     {"5:19: error: '16GB' is not a bandwidth; did you mean '16GB/s'?"}},
    {"RangeAsInIomem",
     "phys_range = \"590000000-98fffffff\"",
     {"5:14: error: '590000000-98fffffff' is not an address range; did you mean '0x590000000-0x98fffffff'?"}},
    {"RangeReversed", "phys_range = \"0x2-0x1\"", {"5:14: error: '0x2-0x1' ends before it begins"}},
    {"RangeOfOneAddress",
     "phys_range = \"0x2\"",
     {"5:14: error: '0x2' is not an address range; write first and last byte, such as "
      "\"0x590000000-0x98fffffff\""}},
    {"RangeOfWrongType",
     "phys_range = 5",
     {"5:14: error: phys_range takes a string such as \"0x590000000-0x98fffffff\", not an integer"}},
    {"DateForAKind",
     "kind = 2024-01-01",
     {R"(5:8: error: kind takes "cxl-ram", "cxl-pmem", "hmem" or "pmem", not a date or time)"}},
    {"ManyMistakesInTheOrderOfTheText",
     "dax = 1\nsize = 0\nkind = \"x\"\nfoo = 1",
     {"5:7: error: dax takes a pattern such as \"dax0.*\", not an integer",
      "6:8: error: '0' never holds: the size is 1B or more",
      "7:8: error: 'x' is not a kind: cxl-ram, cxl-pmem, hmem or pmem",
      "8:1: error: unknown key 'foo' in [rule.match]"}},
};

INSTANTIATE_TEST_SUITE_P(Compile, BadMatch, testing::ValuesIn(bad_matches), test::behaviour_of);

}  // namespace
}  // namespace cxlmemd
