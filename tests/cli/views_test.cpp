// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/views.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/progress.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const Paint plain(false);
constexpr std::uint64_t gib = 1ULL << 30U;

json decision() {
    return {{"action", "online"},  {"zone", "movable"}, {"blocks", 128}, {"bytes", 16 * gib},
            {"rule", "expanders"}, {"file", "10.toml"}, {"line", 3},     {"reason", "capacity"}};
}

Object device(json more) {
    json p = {{"Name", "dax0.0"},   {"Kind", "cxl-ram"},       {"Mode", "system-ram"}, {"State", "online"},
              {"Zone", "movable"},  {"BytesOnline", 16 * gib}, {"Size", 16 * gib},     {"BlocksOnline", 128},
              {"BlocksTotal", 128}, {"TargetNode", 1},         {"Region", "/"},        {"Rule", "expanders"},
              {"InPolicy", true}};
    p.update(more);
    return make_object("/org/cxlmemd1/dax/dax0_2e0", Kind::dax, p);
}

TEST(ListView, ShowsUnitsAndNames) {
    EXPECT_EQ(
        list_view({device(json::object())}, Kind::dax, plain),
        "DAX     KIND     MODE        STATE   ZONE     ONLINE    SIZE   BLOCKS  NODE  REGION  RULE\n"
        "dax0.0  cxl-ram  system-ram  online  movable  16 GiB  16 GiB  128/128     1  -       expanders\n");
}

TEST(ListView, SaysWhatDeservesALook) {
    const std::string text =
        list_view({device({{"InPolicy", false},
                           {"RebootRequired", true},
                           {"BytesStranded", 64ULL << 20U},
                           {"LastError", {{"name", "E"}, {"message", "pin\x1b[2Jned"}}}})},
                  Kind::dax, plain);
    EXPECT_THAT(text, HasSubstr("leaked, pin\\x1b[2Jned, not as policy says, 64 MiB stranded"));
}

TEST(ListView, SaysThatThereIsNone) {
    EXPECT_EQ(list_view({}, Kind::region, plain), "no CXL regions\n");
}

TEST(Views, BearPropertiesThatAreMissingOrOfAnotherType) {
    const Object odd = make_object("/org/cxlmemd1/dax/x", Kind::dax, {{"Size", "many"}, {"LastError", 7}});
    EXPECT_NO_THROW((void)list_view({odd}, Kind::dax, plain));
    EXPECT_NO_THROW((void)show_view(odd, plain));
    EXPECT_NO_THROW((void)status_view(json::object(), {odd}, plain));
    EXPECT_NO_THROW((void)explain_view("/x", json::object(), plain));
    EXPECT_NO_THROW((void)job_end_view({{"Error", "x"}}, plain));
    EXPECT_NO_THROW((void)event_view({{"Event", "changed"}, {"Properties", 3}}, plain));
}

json problem_at(int line, const char* severity) {
    return {{"file", "10.toml"}, {"line", line}, {"column", 8}, {"severity", severity}, {"message", "no"}};
}

TEST(StatusView, ShowsPolicyAndItsProblems) {
    const json manager = {{"Version", "0.1.0"},
                          {"Backend", "emulator"},
                          {"Mode", "observe"},
                          {"State", "idle"},
                          {"PolicyFiles", {"/etc/cxlmemd/policy.d/10.toml"}},
                          {"PolicyGeneration", 2},
                          {"PolicyProblems", json::array({problem_at(4, "error")})},
                          {"PolicyProblemsInForce", json::array({problem_at(4, "error")})},
                          {"BytesOnline", 16 * gib},
                          {"BytesTotal", 32 * gib}};
    const std::string text = status_view(manager, {device(json::object())}, plain);
    EXPECT_THAT(text, HasSubstr("cxlmemd 0.1.0, emulator backend\n"));
    EXPECT_THAT(text, HasSubstr("generation 2, 1 file\n"));
    EXPECT_THAT(text, HasSubstr("10.toml:4:8: error: no\n"));
    EXPECT_THAT(text, HasSubstr("16 GiB of 32 GiB online\n"));
    EXPECT_THAT(text, HasSubstr("dax0.0  cxl-ram"));
}

TEST(StatusView, TellsEditedFilesFromWhatIsInForce) {
    const json pending = {{"PolicyGeneration", 2},
                          {"PolicyPending", true},
                          {"PolicyProblems", json::array({problem_at(4, "warning")})},
                          {"PolicyProblemsInForce", json::array({problem_at(9, "warning")})}};
    const std::string text = status_view(pending, {}, plain);
    EXPECT_THAT(text, HasSubstr("generation 2, 0 files; edited since, waits for a reload\n"));
    EXPECT_THAT(text, HasSubstr("Problems:  10.toml:9:8: warning: no\n"));
    EXPECT_THAT(text, HasSubstr("Edited files:  10.toml:4:8: warning: no\n"));

    const json bad = {{"PolicyGeneration", 2}, {"PolicyProblems", json::array({problem_at(4, "error")})}};
    EXPECT_THAT(status_view(bad, {}, plain), HasSubstr("generation 2, 0 files; edited since, with errors\n"));
}

TEST(EffectiveView, NumbersTheRulesAndSaysWhatMasksWhat) {
    const json effective = {
        {"rules", json::array({{{"file", "/etc/10.toml"},
                                {"line", 3},
                                {"name", "expanders"},
                                {"match", "kind = cxl-ram"},
                                {"action", "system-ram, zone movable"}}})},
        {"files", json::array({{{"path", "/etc/10.toml"}, {"masked_by", ""}},
                               {{"path", "/lib/10.toml"}, {"masked_by", "/etc/10.toml"}}})}};
    EXPECT_EQ(effective_view(effective, plain),
              "   RULE       PLACE           MATCH           DOES\n"
              "1  expanders  /etc/10.toml:3  kind = cxl-ram  system-ram, zone movable\n"
              "masked: /lib/10.toml by /etc/10.toml\n");
    EXPECT_THAT(effective_view(json::object(), plain), HasSubstr("no rules"));
}

TEST(ShowView, ReadsUnitsIntoNumbers) {
    EXPECT_EQ(value_view("Size", 16 * gib), "16 GiB (17179869184)");
    EXPECT_EQ(value_view("Resource", std::uint64_t{0x590000000}), "0x590000000");
    EXPECT_EQ(value_view("ReadLatency", 250U), "250 ns");
    EXPECT_EQ(value_view("ReadLatency", 0U), "unknown");
    EXPECT_EQ(value_view("TargetNode", -1), "none");
    EXPECT_EQ(value_view("DaxDevices", {"/org/cxlmemd1/dax/dax0_2e0"}), "dax0.0");
    EXPECT_EQ(value_view("Ranges", json::array({{{"start", 0x590000000ULL}, {"length", 16 * gib}}})),
              "0x590000000-0x98fffffff (16 GiB)");
    EXPECT_EQ(value_view("Held", true), "yes");
    EXPECT_EQ(value_view("Rule", ""), "-");
    EXPECT_EQ(value_view("Reason", "a\x1b[31mb"), "a\\x1b[31mb");
}

TEST(PlanView, HasALineAStep) {
    json step = decision();
    step["Object"] = "/org/cxlmemd1/dax/dax0_2e0";
    EXPECT_EQ(plan_view(json::array({step}), plain),
              "OBJECT  ACTION  ZONE     BLOCKS    SIZE  RULE                   REASON\n"
              "dax0.0  online  movable     128  16 GiB  expanders (10.toml:3)  capacity\n");
    EXPECT_EQ(plan_view(json::array(), plain), "nothing to do\n");
}

TEST(ExplainView, TellsRuleReasonStepsObstaclesAndRejectedRules) {
    json explanation = decision();
    explanation["verdict"] = "act";
    explanation["steps"] = json::array({decision()});
    explanation["obstacles"] = json::array({"memory block 178 is pinned"});
    explanation["rejected"] = json::array({{{"rule", "card2"},
                                            {"file", "10.toml"},
                                            {"line", 1},
                                            {"key", "memdev_serial"},
                                            {"want", "0x1"},
                                            {"seen", "0x3"}}});
    const std::string text = explain_view("/org/cxlmemd1/dax/dax0_2e0", explanation, plain);
    EXPECT_THAT(text, HasSubstr("dax0.0: act\n"));
    EXPECT_THAT(text, HasSubstr("Rule:  expanders (10.toml:3)\n"));
    EXPECT_THAT(text, HasSubstr("1. online 128 blocks (16 GiB) in movable\n"));
    EXPECT_THAT(text, HasSubstr("Obstacles:  memory block 178 is pinned\n"));
    EXPECT_THAT(text, HasSubstr("card2 (10.toml:1): memdev_serial wants 0x1, it is 0x3\n"));
}

TEST(ProblemsView, LeavesOutAPlaceThatIsTheFileAsAWhole) {
    const json problem = {
        {"file", "a.toml"}, {"line", 0}, {"column", 0}, {"severity", "error"}, {"message", "m"}};
    EXPECT_EQ(problems_view(json::array({problem}), plain), "a.toml: error: m\n");
    EXPECT_TRUE(has_errors(json::array({problem})));
    EXPECT_FALSE(has_errors(json::array({{{"severity", "warning"}}})));
}

TEST(JobEndView, SaysWhatHappened) {
    const json job = {{"Object", "/org/cxlmemd1/dax/dax0_2e0"},
                      {"Operation", "online"},
                      {"Result", "partial"},
                      {"BlocksDone", 5},
                      {"BlocksTotal", 8},
                      {"Error", {{"name", "E"}, {"message", "block 40 is pinned"}}}};
    EXPECT_EQ(job_end_view(job, plain),
              "dax0.0: online partial, 5 of 8 blocks: block 40 is pinned; see: cxlmemctl explain dax0.0");
}

TEST(EventView, IsOneLineWhateverIsInIt) {
    const json event = {{"Event", "changed"},
                        {"Object", "/org/cxlmemd1/dax/dax0_2e0"},
                        {"TimeUsec", 1},
                        {"Properties", {{"Reason", "two\nlines"}, {"State", "online"}}}};
    const std::string text = event_view(event, plain);
    EXPECT_THAT(text, HasSubstr("dax0.0: Reason=two\\nlines State=online\n"));
    EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(ProgressText, FitsTheTerminal) {
    const json job = {{"Object", "/org/cxlmemd1/dax/dax0_2e0"},
                      {"Operation", "online"},
                      {"State", "running"},
                      {"Progress", 0.5},
                      {"BlocksDone", 8},
                      {"BlocksTotal", 16}};
    EXPECT_EQ(progress_text({job}, 60), "dax0.0 online [###########...........]  50%  8 of 16 blocks");
    for (std::size_t columns = 1; columns < 200; ++columns) {
        EXPECT_LT(width(progress_text({job}, columns)), std::max<std::size_t>(columns, 1)) << columns;
    }
    EXPECT_THAT(progress_text({job, job}, 80), HasSubstr("2 jobs"));
    EXPECT_EQ(progress_text({}, 80), "");
}

json job_at(double fraction, unsigned blocks) {
    return {{"State", "running"}, {"Progress", fraction}, {"BlocksDone", blocks}, {"BlocksTotal", 100}};
}

TEST(Pace, IsOfTheLastSeconds) {
    using std::chrono::seconds;
    Pace pace(1U << 30U);
    const Pace::Clock::time_point begin{};
    pace.add(begin, {job_at(0, 0)});
    EXPECT_EQ(pace.text(), "");
    pace.add(begin + seconds{2}, {job_at(0.04, 4)});
    EXPECT_EQ(pace.text(), ", 2.0 GiB/s, 48 s left");
    // Slow from then on: what was before the window no longer counts.
    for (int i = 3; i <= 40; ++i) pace.add(begin + seconds{i}, {job_at(0.04 + 0.001 * (i - 2), 4)});
    EXPECT_EQ(pace.text(), ", 15 min left");
    for (int i = 41; i <= 60; ++i) pace.add(begin + seconds{i}, {job_at(0.078, 4)});
    EXPECT_EQ(pace.text(), ", stalled");
}

TEST(Status, SaysWhichDevicesAreNotAsPolicyWantsAndWhy) {
    Objects objects;
    for (unsigned i = 0; i < 30; ++i) {
        const bool good = i < 20;
        objects.push_back(
            make_object(fmt::format("/org/cxlmemd1/dax/dax{}_2e0", i), Kind::dax,
                        {{"Name", fmt::format("dax{}.0", i)},
                         {"InPolicy", good},
                         {"Held", i == 20},
                         {"Rule", i == 0 ? "" : "expanders"},
                         {"Reason", "because"},
                         {"LastError", {{"name", i == 21 ? "x.Failed" : ""}, {"message", "EIO"}}}}));
    }
    const std::string text = status_view(json::object(), objects, Paint(false, 100));
    EXPECT_THAT(text, HasSubstr("20 of 30 as policy wants, 1 of them without a rule, only watched; 1 held"));
    EXPECT_THAT(text, HasSubstr("Not so:  dax20.0: because\n"));
    EXPECT_THAT(text, HasSubstr("dax21.0: EIO\n"));
    EXPECT_THAT(text, HasSubstr("2 more, see: cxlmemctl list dax\n"));   // of ten, eight are named
    EXPECT_THAT(text, HasSubstr("14 more, see: cxlmemctl list dax\n"));  // of the table
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
    EXPECT_THAT(status_view(json::object(), objects, plain), HasSubstr("dax19.0"));  // a pipe gets all of it
}

}  // namespace
}  // namespace cxlmemctl
