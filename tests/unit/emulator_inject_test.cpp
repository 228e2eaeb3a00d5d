// SPDX-License-Identifier: LGPL-2.1-or-later
// What Inject makes happen, seen through Backend and EventSource; and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <future>
#include <thread>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/event_queue.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::HasSubstr;

class EmulatorInject : public ::testing::Test {
 protected:
    Result<> inject(const std::string& event, const InjectDetails& details) {
        return emulator.control->inject(event, details);
    }
    Backend& backend() { return *emulator.pair.worker_side; }
    EventSource& events() { return *emulator.pair.loop_side; }
    DaxDevice dax(const std::string& name = "dax0.0") {
        const Topology topology = backend().scan().value();
        const DaxDevice* found = find_dax(topology, name);
        return found == nullptr ? DaxDevice{} : *found;
    }
    BlockIndex block(std::size_t nth) { return whole_blocks(dax(), Bytes{128ULL << 20}).at(nth); }
    Zone zone(std::size_t nth) {
        const BlockIndex index = block(nth);
        return backend().read_blocks({&index, 1}).value().at(0).zone;
    }
    Result<> online(std::size_t nth) {
        return backend().set_block(dax().id, block(nth), BlockTarget::online_movable);
    }
    void refused(const std::string& event, const InjectDetails& details, const std::string& word) {
        const auto result = inject(event, details);
        ASSERT_FALSE(result) << event;
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument) << event;
        EXPECT_THAT(result.error().text(), HasSubstr(word));
    }

    Emulator emulator = make_emulator(two_card_server());
};

TEST_F(EmulatorInject, RefusesWhatItDoesNotKnowByName) {
    refused("explode", {}, "explode");
    refused("unbind-dax", {}, "\"dax\" is missing");
    refused("unbind-dax", {{"dax", true}}, "\"dax\" must be a string");
    refused("unbind-dax", {{"dax", "dax0.0"}, {"hard", true}}, "\"hard\"");
    refused("online-block", {{"dax", "dax0.0"}, {"nth", std::int64_t{99}}}, "\"nth\"");
    refused("online-block", {{"dax", "dax0.0"}, {"zone", "twilight"}}, "\"zone\"");
    refused("set-auto-online", {{"value", "maybe"}}, "\"value\"");
    refused("add-region", {{"memdevs", "mem0"}, {"name", "$(reboot)"}}, "must be a device name");
    refused("fail", {{"operation", "set_block"}, {"errno", "EWHAT"}}, "\"errno\"");
    refused("fail", {{"operation", "dance"}, {"errno", "EIO"}}, "\"operation\"");
    refused("add-region", {{"memdevs", "mem0,mem7"}}, "mem7");
    refused("add-memdev", {{"serial", -1.5}}, "\"serial\"");
    EXPECT_EQ(dax().mode, DaxMode::system_ram);
}

TEST_F(EmulatorInject, AHotAddedCardAndRegionAppearBound) {
    ASSERT_TRUE(inject("add-memdev", {{"serial", "0x3"}, {"ram_size", "1GiB"}}));
    ASSERT_TRUE(inject("set-auto-online", {{"value", "online"}}));
    const auto added = inject("add-region", {{"memdevs", "0x3"}});
    ASSERT_TRUE(added) << added.error().text();
    const DaxDevice device = dax("dax2.0");
    EXPECT_EQ(device.mode, DaxMode::system_ram);
    EXPECT_EQ(device.id.serials, std::vector<std::uint64_t>{3});
    EXPECT_EQ(device.target_node, NodeId{3});
    const Topology topology = backend().scan().value();
    for (const Block& each : present_blocks(topology, device)) EXPECT_EQ(each.zone, Zone::kernel);
    EXPECT_EQ(present_blocks(topology, device).size(), 8U);
}

TEST_F(EmulatorInject, CompetingActorsOnlineSeveralBlocks) {
    ASSERT_TRUE(
        inject("online-block", {{"dax", "dax0.0"}, {"count", std::uint64_t{3}}, {"zone", "movable"}}));
    EXPECT_EQ(zone(2), Zone::movable);
    EXPECT_EQ(zone(3), Zone::none);
}

TEST_F(EmulatorInject, FailsTheNthCallForAsLongAsOrdered) {
    ASSERT_TRUE(inject("fail", {{"operation", "set_block"},
                                {"errno", "EAGAIN"},
                                {"nth", std::int64_t{2}},
                                {"count", std::int64_t{2}}}));
    EXPECT_TRUE(online(0));
    EXPECT_EQ(online(1).error().errnum, EAGAIN);
    EXPECT_EQ(online(1).error().code, ErrorCode::busy);
    EXPECT_TRUE(online(1));
}

TEST_F(EmulatorInject, FailsOneBlockOrOneDeviceOnly) {
    ASSERT_TRUE(inject(
        "fail", {{"operation", "set_block"}, {"errno", std::int64_t{EBUSY}}, {"block", block(1).value()}}));
    ASSERT_TRUE(inject("fail", {{"operation", "set_mode"}, {"errno", "EIO"}, {"dax", "dax1.0"}}));
    EXPECT_TRUE(online(0));
    EXPECT_FALSE(online(1));
    EXPECT_TRUE(online(1));
    EXPECT_EQ(backend().set_mode(dax("dax1.0").id, DaxMode::unbound).error().errnum, EIO);
}

TEST_F(EmulatorInject, FailsScanAndAutoOnlineToo) {
    ASSERT_TRUE(inject("fail", {{"operation", "scan"}, {"errno", "EIO"}}));
    ASSERT_TRUE(inject("fail", {{"operation", "set_auto_online"}, {"errno", "EACCES"}}));
    EXPECT_FALSE(backend().scan());
    EXPECT_TRUE(backend().scan());
    EXPECT_EQ(backend().set_auto_online(AutoOnline::online).error().code, ErrorCode::not_authorized);
}

TEST_F(EmulatorInject, ADelayedOperationIsDoneInTheEnd) {
    ASSERT_TRUE(inject("delay", {{"operation", "set_block"}, {"usec", std::int64_t{100}}}));
    EXPECT_TRUE(online(0));
    EXPECT_EQ(zone(0), Zone::movable);
}

// The operation runs on another thread; it is interrupted again and again until it says that it was,
// since a signal that comes before it waits is lost.
TEST_F(EmulatorInject, AHangingOperationIsCanceledByASignal) {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
    ASSERT_TRUE(inject("hang", {{"operation", "set_block"}}));
    const DaxIdentity owner = dax().id;
    const BlockIndex which = block(0);
    std::promise<Result<>> promise;
    std::future<Result<>> future = promise.get_future();
    std::thread worker(
        [&] { promise.set_value(backend().set_block(owner, which, BlockTarget::online_movable)); });
    while (future.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
        ::pthread_kill(worker.native_handle(), SIGUSR1);
    }
    worker.join();
    const Result<> result = future.get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::canceled);
    EXPECT_EQ(result.error().errnum, EINTR);
    EXPECT_EQ(zone(0), Zone::none);
}

TEST_F(EmulatorInject, R7_ADeviceReplacedInTheMiddleOfAnOperationIsGone) {
    ASSERT_TRUE(inject("hang", {{"operation", "set_block"}}));
    const DaxIdentity owner = dax().id;
    const BlockIndex which = block(0);
    std::promise<Result<>> promise;
    std::future<Result<>> future = promise.get_future();
    std::thread worker(
        [&] { promise.set_value(backend().set_block(owner, which, BlockTarget::online_movable)); });
    ASSERT_TRUE(inject("replace-dax", {{"dax", "dax0.0"}}));
    while (future.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
        ASSERT_TRUE(inject("resume", {}));
    }
    worker.join();
    EXPECT_EQ(future.get().error().code, ErrorCode::gone);
    EXPECT_EQ(zone(0), Zone::none);
}

TEST_F(EmulatorInject, ClearedFaultsDoNotStrike) {
    ASSERT_TRUE(inject("fail", {{"operation", "scan"}, {"errno", "EIO"}, {"count", std::int64_t{0}}}));
    EXPECT_FALSE(backend().scan());
    EXPECT_FALSE(backend().scan());
    ASSERT_TRUE(inject("clear-faults", {}));
    EXPECT_TRUE(backend().scan());
}

TEST_F(EmulatorInject, EventsGetLostAndDoubled) {
    ASSERT_TRUE(inject("events", {{"lose", std::int64_t{1}}, {"double", std::int64_t{1}}}));
    ASSERT_TRUE(online(0));  // memory_tiering add is lost, memory online comes twice
    const std::vector<Event> taken = events().take();
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0], taken[1]);
    EXPECT_EQ(taken[0].block, block(0));
}

TEST(EmulatorEvents, AnOverflowBecomesOneEventOfEverything) {
    EventQueue queue;
    Event event;
    event.scope = Event::Scope::block;
    for (std::size_t i = 0; i < EventQueue::capacity + 1000; ++i) {
        event.block = BlockIndex{i};
        queue.push(event);
    }
    EXPECT_EQ(queue.take(), std::vector<Event>{Event{}});
    pollfd poll{.fd = queue.fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&poll, 1, 0), 0);
    queue.push(event);
    EXPECT_EQ(::poll(&poll, 1, 0), 1);
    EXPECT_EQ(queue.take().size(), 1U);
}

TEST(EmulatorEvents, StayReadableUntilAllAreTaken) {
    EventQueue queue;
    for (std::size_t i = 0; i < EventQueue::most_at_once + 1; ++i) queue.push({});
    pollfd poll{.fd = queue.fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(queue.take().size(), 1U);  // alike: one "everything" is enough
    EXPECT_EQ(::poll(&poll, 1, 0), 0);
}

}  // namespace
}  // namespace cxlmemd::emulator
