// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/listing.h"

#include "policy/report.h"
#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::in_match;
using test::in_memory;
using test::policy_of;
using testing::ElementsAre;
using testing::IsEmpty;

std::string match_of(const std::string& keys) {
    return listing(policy_of(in_match(keys))).at(0).match;
}

std::string action_of(const std::string& keys) {
    return listing(policy_of(in_memory(keys))).at(0).action;
}

TEST(Listing, KeepsOrderAndPlaces) {
    const Compiled compiled = compile({{"10.toml", "\n" + in_match("dax = \"dax1.*\"")},
                                       {"20.toml", "[[rule]]\nname = \"all\"\nmemory.mode = \"ignore\"\n"}});
    EXPECT_THAT(
        listing(compiled.policy),
        ElementsAre(
            ListedRule{{"10.toml", 2, 1}, "r", "dax = dax1.*", "system-ram, zone movable, amount all"},
            ListedRule{{"20.toml", 1, 1}, "all", "every device", "left alone"}));
}

TEST(Listing, SaysEveryKeyThatWasWritten) {
    EXPECT_EQ(match_of("size = \">= 16GiB\"\nkind = [\"cxl-ram\", \"hmem\"]\nmemdev_serial = 0x1f\n"
                       "phys_range = \"0x100-0x1ff\"\nread_latency = \"< 400ns\"\ninterleave_ways = 2"),
              "kind = cxl-ram or hmem, memdev_serial = 0x1f, size >= 16GiB, interleave_ways = 2, "
              "read_latency < 400ns, phys_range = 0x100-0x1ff");
}

TEST(Listing, CutsLongLists) {
    EXPECT_EQ(match_of("target_node = [1, 2, 3, 4]"), "target_node = 1 or 2 or 3 or 4");
    EXPECT_EQ(match_of("target_node = [1, 2, 3, 4, 5, 6]"), "target_node = 1 or 2 or 3 or 4 or 2 more");
}

TEST(Listing, SaysWhatARuleDoes) {
    EXPECT_EQ(action_of("mode = \"devdax\""), "devdax");
    EXPECT_EQ(action_of("zone = \"kernel\"\namount = \"75%\"\nrequire_node = [1, 3]\non_conflict = "
                        "\"keep\"\nonline_by = \"state\"\n"
                        "drift = \"enforce\""),
              "system-ram, zone kernel, amount 75%, keeps what is online in another zone, by "
              "daxX.Y/state, only on node 1 or 3, enforced against drift");
}

TEST(ListingText, HasTwoLinesARuleAndOneAMaskedFile) {
    EXPECT_EQ(listing_text({{{"a\x1b.toml", 3, 1}, "r", "every device", "left alone"}},
                           {{"etc/a.toml", ""}, {"lib/a.toml", "etc/a.toml"}}),
              "   1  r  a\\x1b.toml:3\n      every device: left alone\nmasked: lib/a.toml by etc/a.toml\n");
    EXPECT_THAT(listing_text({}, {}), IsEmpty());
}

std::vector<std::string> whole_lines(const std::vector<Problem>& problems) {
    std::vector<std::string> out;
    for (const Problem& problem : problems) out.push_back(to_string(problem));
    return out;
}

TEST(CheckFiles, CountsPolicyAndSettingsTogether) {
    const std::string large(max_file_bytes, '#');
    std::vector<SourceFile> files{
        {"daemon.toml", large}, {"x/daemon.toml", large}, {"a", large}, {"b", large}};
    EXPECT_THAT(check_files(files), IsEmpty());
    files.push_back({"c", "#"});
    // In basename order, daemon.toml comes behind the others.
    EXPECT_THAT(
        whole_lines(check_files(files)),
        ElementsAre("x/daemon.toml: error: too large: 4194304 bytes of all files together are the limit"));

    std::vector<SourceFile> many(max_files, SourceFile{"daemon.toml", ""});
    EXPECT_THAT(check_files(many), IsEmpty());
    many.push_back({"e.toml", ""});
    EXPECT_THAT(whole_lines(check_files(many)),
                ElementsAre("e.toml: error: too many: 256 files are the limit"));
}

TEST(ProblemList, IsCutByBytesAndSaysHowManyAreLeftOut) {
    ProblemList list{10, 25};
    list.add({.place = {.file = "a"}, .severity = Severity::warning, .message = "0123456789"});
    list.add({.place = {.file = "a"}, .severity = Severity::warning, .message = "0123456789"});
    list.add({.place = {"a", 3, 4}, .severity = Severity::warning, .message = "0123456789"});
    list.add({.place = {.file = "a"}, .severity = Severity::error, .message = ""});
    EXPECT_THAT(whole_lines(list.take()),
                ElementsAre("a: warning: 0123456789", "a: warning: 0123456789",
                            "a:3:4: error: 2 more problems, this one the first, are not shown"));
}

TEST(ProblemList, OfManySaysItAtTheFirstThatIsLeftOut) {
    ProblemList list{1, 1000};
    for (const char* file : {"a", "b", "c"}) list.add({.place = {.file = file}, .message = "m"});
    EXPECT_THAT(whole_lines(list.take()),
                ElementsAre("a: error: m", "b: error: 2 more problems, this one the first, are not shown"));
}

TEST(CheckFiles, AreCheckedTogetherInBasenameOrder) {
    const std::string same = "[[rule]]\nname = \"same\"\nmemory.mode = \"ignore\"\n";
    std::vector<std::string> lines;
    for (const Problem& p : check_files({{"a/20.toml", same}, {"z/10.toml", same}})) {
        lines.push_back(to_string(p));
    }
    EXPECT_THAT(lines, ElementsAre("a/20.toml:2:8: error: rule 'same' exists already at z/10.toml:2:8; every "
                                   "rule has a name of its own"));
}

TEST(CheckFiles, TakesDaemonTomlAsSettings) {
    EXPECT_THAT(check_files({{"etc/daemon.toml", "auto_reload = true\n"}, {"a.toml", ""}}), IsEmpty());
    EXPECT_THAT(
        test::lines_of(check_files({{"daemon.toml", "auto_reloa = true\n"}})),
        ElementsAre("1:1: error: unknown key 'auto_reloa' in daemon.toml; did you mean 'auto_reload'?"));
}

}  // namespace
}  // namespace cxlmemd
