// SPDX-License-Identifier: LGPL-2.1-or-later
// Another actor is in the middle of taking a block offline, and holds the hotplug lock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>
#include <thread>

#include "tests/unit/emulator_world.h"

namespace cxlmemd::emulator {
namespace {

using std::chrono::milliseconds;

// A call of the backend on another thread.
class Caller final {
 public:
    explicit Caller(std::function<Result<>()> call)
        : future_(promise_.get_future()),
          thread_([this, call = std::move(call)] { promise_.set_value(call()); }) {}
    ~Caller() { thread_.join(); }

    bool waits() { return future_.wait_for(milliseconds(30)) == std::future_status::timeout; }
    void interrupt() { ::pthread_kill(thread_.native_handle(), SIGUSR1); }
    Result<> result() { return future_.get(); }
    // A signal that comes before it waits is lost.
    Result<> interrupted() {
        while (future_.wait_for(milliseconds(1)) != std::future_status::ready) interrupt();
        return result();
    }

 private:
    std::promise<Result<>> promise_;
    std::future<Result<>> future_;
    std::thread thread_;
};

class OtherOffline : public ::testing::Test {
 protected:
    void SetUp() override {
        struct sigaction action = {};
        action.sa_handler = [](int) {};
        ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
        ASSERT_TRUE(online(0));
    }
    Backend& backend() { return *emulator.pair.worker_side; }
    Result<> inject(const std::string& event, const InjectDetails& details = {}) {
        return emulator.control->inject(event, details);
    }
    Result<> begin(std::uint64_t nth) {
        return inject("begin-offline", {{"block", World::block(nth).value()}});
    }
    DaxIdentity dax() { return find_dax(backend().scan().value(), "dax0.0")->id; }
    Result<> online(std::uint64_t nth) {
        return backend().set_block(dax(), World::block(nth), BlockTarget::online_movable);
    }
    Block block(std::uint64_t nth) {
        const BlockIndex index = World::block(nth);
        return backend().read_blocks({&index, 1}).value().at(0);
    }

    Emulator emulator = make_emulator(two_card_server());
};

TEST_F(OtherOffline, ShowsAndOursWaitsForItsEnd) {
    ASSERT_TRUE(begin(0));
    EXPECT_EQ(block(0).state, BlockState::going_offline);
    Caller ours([this, owner = dax()] {
        return backend().set_block(owner, World::block(1), BlockTarget::online_movable);
    });
    EXPECT_TRUE(ours.waits());
    EXPECT_EQ(block(1).state, BlockState::offline);
    ASSERT_TRUE(inject("end-offline"));
    EXPECT_TRUE(ours.result());
    EXPECT_EQ(block(0).state, BlockState::offline);
    EXPECT_EQ(block(1).zone, Zone::movable);
}

TEST_F(OtherOffline, OursEndsWithASignalAndTheOtherDoesNot) {
    ASSERT_TRUE(begin(0));
    Caller ours(
        [this, owner = dax()] { return backend().set_block(owner, World::block(0), BlockTarget::offline); });
    const Result<> done = ours.interrupted();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::canceled);
    EXPECT_EQ(done.error().errnum, EINTR);
    EXPECT_EQ(block(0).state, BlockState::going_offline) << "by the other";
    ASSERT_TRUE(inject("end-offline", {{"interrupted", true}}));
    EXPECT_EQ(block(0).zone, Zone::movable);
    EXPECT_EQ(inject("end-offline").error().errnum, ENOENT);
}

TEST_F(OtherOffline, KmemWaitsAndHearsNoSignal) {
    ASSERT_TRUE(begin(0));
    const DaxIdentity other = find_dax(backend().scan().value(), "dax1.0")->id;
    Caller ours([&] { return backend().set_mode(other, DaxMode::unbound); });
    EXPECT_TRUE(ours.waits());
    for (int i = 0; i < 3; ++i) {
        ours.interrupt();
        EXPECT_TRUE(ours.waits());
    }
    ASSERT_TRUE(inject("end-offline"));
    EXPECT_TRUE(ours.result());
    // Without kmem there is nothing to wait for.
    ASSERT_TRUE(online(2));
    ASSERT_TRUE(begin(2));
    EXPECT_TRUE(backend().set_mode(other, DaxMode::devdax));
    EXPECT_TRUE(backend().scan());
}

TEST_F(OtherOffline, R7_ADeviceThatGoesMeanwhileIsGone) {
    ASSERT_TRUE(begin(0));
    Caller ours([this, owner = dax()] {
        return backend().set_block(owner, World::block(1), BlockTarget::online_movable);
    });
    EXPECT_TRUE(ours.waits());
    ASSERT_TRUE(inject("remove-memdev", {{"memdev", "mem0"}}));
    EXPECT_TRUE(ours.waits());
    ASSERT_TRUE(inject("end-offline"));
    EXPECT_EQ(ours.result().error().code, ErrorCode::gone);
}

TEST_F(OtherOffline, CanFailLikeAnyOther) {
    ASSERT_TRUE(inject("pin-block", {{"block", World::block(0).value()}}));
    ASSERT_TRUE(begin(0));
    EXPECT_EQ(inject("end-offline").error().errnum, EBUSY);
    EXPECT_EQ(block(0).zone, Zone::movable);
    EXPECT_TRUE(online(1)) << "the lock is free";
}

TEST_F(OtherOffline, IsOneAtATimeAndOfABlockThatIsOnline) {
    EXPECT_EQ(begin(1).error().errnum, EINVAL);
    EXPECT_EQ(inject("begin-offline", {{"block", std::int64_t{1}}}).error().errnum, ENOENT);
    ASSERT_TRUE(begin(0));
    EXPECT_EQ(begin(0).error().errnum, EBUSY);
}

// Its first extent goes, so it is another device, and the block is its own all the same.
TEST(OurOffline, R7_OfADeviceThatBecameAnotherLeavesTheBlockAsItWas) {
    MachineDescription description = two_card_server();
    description.dynamic_regions = {"region0"};
    description.live_extents = true;
    DaxDevice& device = description.dax_devices.front().device;
    const std::uint64_t start = device.ranges.front().start.value();
    device.ranges = {{PhysAddr{start}, Bytes{1ULL << 30}},
                     {PhysAddr{start + (1ULL << 30)}, Bytes{1ULL << 30}}};
    const Emulator emulator = make_emulator(std::move(description));
    Backend& backend = *emulator.pair.worker_side;
    const DaxIdentity owner = find_dax(backend.scan().value(), "dax0.0")->id;
    ASSERT_TRUE(backend.set_block(owner, World::block(8), BlockTarget::online_movable));
    ASSERT_TRUE(emulator.control->inject("hang", {{"operation", "offline"}}));
    Caller ours([&] { return backend.set_block(owner, World::block(8), BlockTarget::offline); });
    EXPECT_TRUE(ours.waits());
    ASSERT_TRUE(emulator.control->inject("release-extent", {{"dax", "dax0.0"}, {"nth", std::int64_t{0}}}));
    ASSERT_TRUE(emulator.control->inject("resume", {}));
    EXPECT_EQ(ours.result().error().code, ErrorCode::gone);
    const BlockIndex index = World::block(8);
    EXPECT_EQ(backend.read_blocks({&index, 1}).value().at(0).state, BlockState::online);
}

TEST(OtherOfflineInTime, EndsByItself) {
    World world("");
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 0));
    ASSERT_TRUE(world.inject("begin-offline", {{"dax", "dax0.0"}, {"usec", "3s"}}));
    world.advance(2'999'999);
    EXPECT_EQ(world.inject("begin-offline", {{"dax", "dax0.0"}}).error().errnum, EBUSY);
    world.advance(1);
    EXPECT_EQ(world.zone(0), Zone::none);
    EXPECT_TRUE(world.online(owner, 0));
    EXPECT_FALSE(world.clock->is_armed());
    // The end of one is not the end of another.
    ASSERT_TRUE(world.inject("begin-offline", {{"dax", "dax0.0"}, {"usec", "3s"}}));
    ASSERT_TRUE(world.inject("end-offline", {{"interrupted", true}}));
    ASSERT_TRUE(world.inject("begin-offline", {{"dax", "dax0.0"}}));
    world.advance(10'000'000);
    EXPECT_EQ(world.inject("begin-offline", {{"dax", "dax0.0"}}).error().errnum, EBUSY);
}

TEST(OtherOfflineInTime, CanStandInAScenario) {
    World world(
        "[[step]]\non = { operation = \"online\", nth = 2 }\nevent = \"begin-offline\"\nblock = \"same\"\n"
        "usec = \"1s\"\n");
    const DaxIdentity owner = world.dax()->id;
    ASSERT_TRUE(world.online(owner, 0));
    ASSERT_TRUE(world.online(owner, 1));
    EXPECT_EQ(world.inject("begin-offline", {{"dax", "dax0.0"}}).error().errnum, EBUSY);
    world.advance(1'000'000);
    EXPECT_EQ(world.zone(0), Zone::movable);
    EXPECT_EQ(world.zone(1), Zone::none);
}

}  // namespace
}  // namespace cxlmemd::emulator
