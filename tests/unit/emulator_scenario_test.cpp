// SPDX-License-Identifier: LGPL-2.1-or-later
// What is ordered to happen later: by a scenario file, or by Inject with "at" or "on".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/emulator_world.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(EmulatorScenario, StepsHappenInTheirTimeCountedFromTheStart) {
    World world{R"(
[[step]]
at = "1.5s"
event = "remove-memdev"
memdev = "mem0"
[[step]]
at = "20ms"
event = "online-block"
dax = "dax0.0"
nth = 2
zone = "kernel"
)"};
    world.advance(60'000'000);
    EXPECT_TRUE(world.dax()) << "the time has not begun";
    world.emulator.control->start_scenario();
    world.advance(19'999);
    EXPECT_EQ(world.zone(2), Zone::none);
    world.advance(1);
    EXPECT_EQ(world.zone(2), Zone::kernel);
    world.advance(1'479'999);
    EXPECT_TRUE(world.dax());
    EXPECT_THAT(world.told, ElementsAre("s.toml:29 online-block"));
    world.advance(1);
    EXPECT_FALSE(world.dax());
    EXPECT_FALSE(world.clock->is_armed()) << "nothing waits any more";
}

TEST(EmulatorScenario, WithoutStepsNothingEverWakesUp) {
    World world{""};
    world.emulator.control->start_scenario();
    EXPECT_FALSE(world.clock->is_armed());
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 0));
    EXPECT_FALSE(world.clock->is_armed());
}

TEST(EmulatorScenario, R7_ADeviceVanishesInTheMiddleOfAJobAndAnotherTakesItsName) {
    World world{R"(
[[step]]
on.operation = "online"
on.nth = 3
event = "replace-dax"
dax = "dax0.0"
)"};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 31));
    ASSERT_TRUE(world.offline(owner, 31));  // counts for nothing
    ASSERT_TRUE(world.online(owner, 30));
    ASSERT_TRUE(world.offline(owner, 30));
    ASSERT_TRUE(world.online(owner, 29));
    EXPECT_EQ(world.online(owner, 28).error().code, ErrorCode::gone);
    ASSERT_TRUE(world.dax());
    EXPECT_NE(world.dax()->id, owner);
}

TEST(EmulatorScenario, R7_ADeviceVanishesBetweenTheCheckAndTheKernel) {
    World world{R"(
[[step]]
on = { operation = "set_block", moment = "before", nth = 2 }
event = "remove-region"
region = "region0"
)"};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 0));
    EXPECT_EQ(world.online(owner, 1).error().code, ErrorCode::gone);
    EXPECT_FALSE(world.dax());
}

TEST(EmulatorScenario, ACompetingActorBringsBlocksBackAsOftenAsItWasTold) {
    World world{R"(
[[step]]
on = { uevent = "memory offline", times = 2 }
event = "online-block"
block = "same"
zone = "kernel"
)"};
    const DaxIdentity owner = world.dax()->id;
    for (const std::uint64_t nth : {0U, 1U}) ASSERT_TRUE(world.online(owner, nth));
    ASSERT_TRUE(world.offline(owner, 0));
    ASSERT_TRUE(world.offline(owner, 1));
    EXPECT_EQ(world.zone(0), Zone::kernel);
    EXPECT_EQ(world.zone(1), Zone::kernel);
    ASSERT_TRUE(world.offline(owner, 0));
    EXPECT_EQ(world.zone(0), Zone::none);
}

TEST(EmulatorScenario, AUdevRuleOnlinesEveryBlockThatAppearsALittleLater) {
    World world{R"(
[[step]]
on = { uevent = "memory add", times = 0, lag = "3ms" }
event = "online-block"
block = "same"
zone = "kernel"
)"};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.backend().set_mode(owner, DaxMode::unbound));
    ASSERT_TRUE(world.backend().set_mode(owner, DaxMode::system_ram));
    ASSERT_TRUE(world.online(owner, 0)) << "the daemon was there first";
    world.advance(2'999);
    EXPECT_EQ(world.zone(1), Zone::none);
    world.advance(1);
    EXPECT_EQ(world.zone(0), Zone::movable);
    for (const std::uint64_t nth : {1U, 31U}) EXPECT_EQ(world.zone(nth), Zone::kernel);
    EXPECT_THAT(world.told, ElementsAre("s.toml:25 online-block: EINVAL", "s.toml:25 online-block"))
        << "told once, and once that it failed";
}

TEST(EmulatorScenario, TwoActorsThatAnswerEachOtherDoNotGoOnForEver) {
    World world{R"(
[[step]]
on = { uevent = "memory offline", times = 0 }
event = "online-block"
block = "same"
[[step]]
on = { uevent = "memory online", times = 0 }
event = "offline-block"
block = "same"
)"};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 0));  // offline, online, offline, online
    EXPECT_EQ(world.zone(0), Zone::kernel);
    ASSERT_TRUE(world.offline(owner, 0));
    EXPECT_EQ(world.zone(0), Zone::none);
}

TEST(EmulatorScenario, OneThingLeadsToAnother) {
    World world{R"(
[[step]]
on = { operation = "online" }
event = "remove-memdev"
memdev = 1
[[step]]
on = { uevent = "cxl remove", name = "mem0", lag = "1s" }
event = "add-memdev"
serial = 7
)"};
    ASSERT_TRUE(world.online(world.dax()->id, 0));
    EXPECT_THAT(world.backend().scan().value().memdevs, IsEmpty());
    world.advance(1'000'000);
    EXPECT_EQ(world.backend().scan().value().memdevs.at(0).serial, 7U);
}

TEST(EmulatorScenario, TheSameSeedMakesTheSameCallsFail) {
    const auto scenario = [](int seed) {
        return "[scenario]\nseed = " + std::to_string(seed) +
               "\n[[step]]\nat = 0\nevent = \"fail\"\noperation = \"scan\"\nerrno = 5\nprobability = 0.25\n";
    };
    const auto run = [&](int seed, bool other_calls) {
        World world{scenario(seed)};
        world.emulator.control->start_scenario();
        std::vector<int> out;
        for (int i = 0; i < 1000; ++i) {
            if (!world.backend().scan()) out.push_back(i);
            // Calls that the fault has nothing to do with change nothing.
            if (other_calls) static_cast<void>(world.backend().set_auto_online(AutoOnline::online));
        }
        return out;
    };
    const std::vector<int> seven = run(7, false);
    EXPECT_EQ(run(7, true), seven);
    EXPECT_NE(run(8, false), seven);
    EXPECT_THAT(seven.size(), ::testing::AllOf(::testing::Gt(200U), ::testing::Lt(300U)));
}

TEST(EmulatorScenario, LiveOrdersWaitForWhatTheyAreToldTo) {
    World world{""};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.inject("pin-block", {{"block", "same"}, {"on.operation", "online"}}));
    ASSERT_TRUE(world.inject("set-auto-online", {{"value", "online"}, {"at", std::int64_t{500}}}));
    ASSERT_TRUE(world.online(owner, 4));
    EXPECT_EQ(world.offline(owner, 4).error().errnum, EBUSY);
    world.advance(500);
    EXPECT_EQ(world.backend().scan().value().auto_online, AutoOnline::online);
    EXPECT_THAT(world.told, ElementsAre("Inject pin-block", "Inject set-auto-online"));
}

TEST(EmulatorScenario, OrdersThatMakeNoSenseAreRefused) {
    World world{""};
    const auto reason = [&](const InjectDetails& details) {
        const auto result = world.inject("offline-block", details);
        return result ? std::string{"done"} : result.error().reason;
    };
    EXPECT_THAT(reason({{"block", "same"}}), HasSubstr("only behind \"on\""));
    EXPECT_THAT(reason({{"block", "same"}, {"on.nth", std::int64_t{2}}}), HasSubstr("\"on.nth\" goes with"));
    EXPECT_THAT(reason({{"block", "same"}, {"on.operation", "scam"}}), HasSubstr("\"on.operation\" must be"));
    EXPECT_THAT(reason({{"block", "same"}, {"on.uevent", "memory explode"}}),
                HasSubstr("\"on.uevent\" must"));
    EXPECT_THAT(reason({{"block", "same"}, {"on.operation", "scan"}, {"at", "1s"}}),
                HasSubstr("\"at\" does"));
    EXPECT_THAT(reason({{"dax", "dax0.0"}, {"at", "1 hour"}}), HasSubstr("\"at\" must be"));
    EXPECT_THAT(reason({{"dax", "dax0.0"}, {"at", "61min"}}), HasSubstr("an hour at most"));
}

TEST(EmulatorScenario, AFaultInTheMiddleOfAModeLeavesTheDeviceUnbound) {
    World world{""};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.inject("fail", {{"operation", "bind"}, {"errno", "ENOMEM"}}));
    EXPECT_EQ(world.backend().set_mode(owner, DaxMode::devdax).error().errnum, ENOMEM);
    EXPECT_EQ(world.dax()->mode, DaxMode::unbound);
    EXPECT_TRUE(world.backend().set_mode(owner, DaxMode::devdax));
}

TEST(EmulatorScenario, FaultsTellOnliningFromOfflining) {
    World world{""};
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.inject("fail", {{"operation", "offline"}, {"errno", std::int64_t{133}}}));
    ASSERT_TRUE(world.online(owner, 0));
    EXPECT_EQ(world.offline(owner, 0).error().errnum, EHWPOISON);
    EXPECT_TRUE(world.offline(owner, 0));
}

TEST(EmulatorScenario, ASlowCallTakesTimeInWhichOthersAct) {
    World world{R"(
[[step]]
at = "5ms"
event = "replace-dax"
dax = "dax0.0"
)"};
    world.emulator.control->start_scenario();
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.inject("delay", {{"operation", "online"}, {"usec", "2ms"}}));
    ASSERT_TRUE(world.online(owner, 0));
    ASSERT_TRUE(world.offline(owner, 0));
    ASSERT_TRUE(world.online(owner, 1));
    EXPECT_EQ(world.online(owner, 2).error().code, ErrorCode::gone);
}

// --- Files. ---

std::vector<std::string> problems(const std::string& text) {
    std::vector<std::string> out;
    const ParsedMachine parsed = parse_machine(text, "m.toml");
    if (parsed) return out;
    for (const FileProblem& problem : parsed.error()) out.push_back(to_string(problem));
    return out;
}

TEST(EmulatorScenarioFile, SaysWhereItIsWrong) {
    EXPECT_THAT(
        problems("[[step]]\nevent = \"explode\"\n"),
        ElementsAre(HasSubstr("m.toml:2:9: error: \"event\" of [[step]] is none: there are add-memdev")));
    EXPECT_THAT(problems("[[step]]\nat = \"1s\"\nevent = \"remove-memdev\"\n"),
                ElementsAre(HasSubstr("m.toml:1:1: error: \"memdev\" of [[step]] is missing")));
    EXPECT_THAT(
        problems("[[step]]\nevent = \"fail\"\noperation = \"scan\"\nerrno = \"EWHAT\"\nnth = 0\nhard = 1\n"),
        ElementsAre(HasSubstr("m.toml:4:9: error: \"errno\" of [[step]] must be an errno"),
                    HasSubstr("m.toml:5:7: error: \"nth\" of [[step]] counts from 1"),
                    HasSubstr("m.toml:6:8: error: \"hard\" of [[step]] is none")));
    EXPECT_THAT(problems("[[step]]\nevent = \"resume\"\non = { operation = \"scan\", nth = -1 }\n"),
                ElementsAre(HasSubstr("m.toml:3:34: error: \"nth\" of [on] must be a number from 0")));
    EXPECT_THAT(problems("[[step]]\nevent = \"resume\"\non = 3\n"), ElementsAre(HasSubstr("m.toml:3:6")));
    EXPECT_THAT(problems("[[step]]\nevent = \"resume\"\nat = 2026-01-01\n"),
                ElementsAre(HasSubstr("m.toml:3:6")));
    EXPECT_THAT(problems("[scenario]\nseed = \"x\"\nspeed = 1\n"),
                ElementsAre(HasSubstr("m.toml:2:8"), HasSubstr("m.toml:3:1")));
    EXPECT_THAT(problems("machine = \"other.toml\"\nblock_size = \"128MiB\"\n"),
                ElementsAre(HasSubstr("m.toml:2:1")));
}

TEST(EmulatorScenarioFile, TakesListsOfNames) {
    const auto parsed =
        parse_machine("[[step]]\nevent = \"add-region\"\nmemdevs = [\"mem0\", \"mem1\"]\n", "m");
    ASSERT_TRUE(parsed) << to_string(parsed.error().front());
    EXPECT_EQ(parsed->scenario.steps.at(0).details.at("memdevs"), InjectValue{"mem0,mem1"});
}

}  // namespace
}  // namespace cxlmemd::emulator
