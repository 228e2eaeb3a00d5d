// What is ordered to happen later: by a scenario file, or by Inject with "at" or "on".
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "tests/unit/manual_clock.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* machine_text = R"(
[[node]]
id = 0
cpus = true
memory = "16GiB"
[[memdev]]
name = "mem0"
serial = 1
host = "0000:0d:00.0"
ram_size = "4GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x590000000
size = "64GiB"
[[region]]
name = "region0"
memdevs = ["mem0"]
start = 0x590000000
size = "4GiB"
[[dax]]
name = "dax0.0"
region = "region0"
target_node = 1
)";

// An emulator whose time the test drives.
class World final {
 public:
    explicit World(const std::string& scenario) {
        auto parsed = parse_machine(machine_text + scenario, "s.toml");
        if (!parsed) {
            ADD_FAILURE() << to_string(parsed.error().front());
            parsed = two_card_server();
        }
        auto own = std::make_unique<ManualClock>();
        clock = own.get();
        emulator = make_emulator(std::move(*parsed), std::move(own));
        emulator.control->on_report([this](const ScenarioReport& step) {
            told.push_back(step.place + " " + step.event +
                           (step.outcome ? "" : ": " + errno_name(step.outcome.error().errnum)));
        });
    }

    Backend& backend() { return *emulator.pair.worker_side; }
    std::vector<Event> events() { return emulator.pair.loop_side->take(); }
    bool is_readable() {
        pollfd poll{.fd = emulator.pair.loop_side->fd(), .events = POLLIN, .revents = 0};
        return ::poll(&poll, 1, 0) == 1;
    }
    // As the loop does: takes what there is.
    void advance(std::uint64_t usec) {
        clock->advance(usec);
        while (is_readable()) static_cast<void>(events());
    }
    Result<> inject(const std::string& event, const InjectDetails& details) {
        return emulator.control->inject(event, details);
    }
    std::optional<DaxDevice> dax() {
        const Topology topology = backend().scan().value();
        const DaxDevice* found = find_dax(topology, "dax0.0");
        return found == nullptr ? std::nullopt : std::optional{*found};
    }
    static BlockIndex block(std::uint64_t nth) { return BlockIndex{0x590000000 / (128ULL << 20) + nth}; }
    Zone zone(std::uint64_t nth) {
        const BlockIndex index = block(nth);
        const auto found = backend().read_blocks({&index, 1}).value();
        return found.empty() ? Zone::none : found.front().zone;
    }
    Result<> online(const DaxIdentity& owner, std::uint64_t nth) {
        return backend().set_block(owner, block(nth), BlockTarget::online_movable);
    }
    Result<> offline(const DaxIdentity& owner, std::uint64_t nth) {
        return backend().set_block(owner, block(nth), BlockTarget::offline);
    }
    std::vector<std::string> told;
    ManualClock* clock = nullptr;
    Emulator emulator;
};

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

// --- Events. ---

class EmulatorEventFaults : public ::testing::Test {
 protected:
    // Which blocks, in which order, the events were about; 99 for those about everything.
    std::vector<std::uint64_t> blocks(const std::vector<Event>& events) {
        std::vector<std::uint64_t> out;
        for (const Event& event : events) {
            const bool one = event.scope == Event::Scope::block;
            out.push_back(one ? event.block.value() - World::block(0).value() : 99);
        }
        return out;
    }
    void online(std::initializer_list<std::uint64_t> all) {
        for (const std::uint64_t nth : all) ASSERT_TRUE(world.online(owner, nth));
    }

    World world{""};
    DaxIdentity owner = world.dax()->id;
};

TEST_F(EmulatorEventFaults, TheNthOfAKindIsLostOrComesTwice) {
    ASSERT_TRUE(world.inject("lose-events", {{"uevent", "memory online"}, {"nth", std::int64_t{2}}}));
    ASSERT_TRUE(world.inject("double-events", {{"uevent", "memory"}, {"nth", std::int64_t{3}}}));
    online({0, 1, 2, 3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(99, 0, 2, 2, 3));
}

TEST_F(EmulatorEventFaults, ADelayedEventComesInItsTime) {
    online({9});
    static_cast<void>(world.events());
    ASSERT_TRUE(world.inject("delay-events", {{"usec", "7ms"}}));
    online({0, 1});
    EXPECT_THAT(blocks(world.events()), ElementsAre(1));
    EXPECT_FALSE(world.is_readable());
    world.clock->advance(7'000);
    EXPECT_TRUE(world.is_readable());
    EXPECT_THAT(blocks(world.events()), ElementsAre(0));
    EXPECT_FALSE(world.clock->is_armed());
}

TEST_F(EmulatorEventFaults, AReorderedEventIsOvertakenOrComesAnyway) {
    online({9});
    static_cast<void>(world.events());
    ASSERT_TRUE(world.inject("reorder-events", {{"behind", std::int64_t{2}}, {"usec", "1s"}}));
    online({0, 1, 2, 3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(1, 2, 0, 3));
    ASSERT_TRUE(world.inject("reorder-events", {{"behind", std::int64_t{2}}, {"usec", "1s"}}));
    online({4, 5});
    EXPECT_THAT(blocks(world.events()), ElementsAre(5));
    world.clock->advance(1'000'000);
    EXPECT_THAT(blocks(world.events()), ElementsAre(4));
}

TEST_F(EmulatorEventFaults, AStormIsDeliveredWholeBeforeWhatComesAfterIt) {
    ASSERT_TRUE(world.inject("storm", {{"dax", "dax0.0"}}));
    online({5});
    std::vector<std::uint64_t> all;
    while (world.is_readable()) {
        const std::vector<std::uint64_t> some = blocks(world.events());
        ASSERT_FALSE(some.empty());
        all.insert(all.end(), some.begin(), some.end());
    }
    ASSERT_EQ(all.size(), 100'002U);
    EXPECT_EQ(std::ranges::count(all, 31U), 100'000 / 32);
    EXPECT_EQ(all.back(), 5U);
}

TEST_F(EmulatorEventFaults, ProbabilityDecidesAndClearingEndsIt) {
    ASSERT_TRUE(world.inject("lose-events", {{"probability", 1.0}}));
    online({0, 1, 2});
    EXPECT_THAT(world.events(), IsEmpty());
    ASSERT_TRUE(world.inject("clear-faults", {}));
    online({3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(3));
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
