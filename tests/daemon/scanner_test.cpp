// When the scanner looks, and at how much.
#include "daemon/scanner.h"

#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "fake_backend.h"

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using Clock = std::chrono::steady_clock;

class Events final : public EventSource {
 public:
    Events() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~Events() override { ::close(fd_); }

    void block(std::uint64_t index) {
        Event event;
        event.scope = Event::Scope::block;
        event.block = BlockIndex{index};
        waiting_.push_back(event);
        ::eventfd_write(fd_, 1);
    }
    [[nodiscard]] int fd() const override { return fd_; }
    [[nodiscard]] std::vector<Event> take() override {
        eventfd_t ignored = 0;
        ::eventfd_read(fd_, &ignored);
        return std::exchange(waiting_, {});
    }

 private:
    int fd_;
    std::vector<Event> waiting_;
};

class ScannerTest : public ::testing::Test {
 protected:
    using Blocks = std::vector<BlockIndex>;

    Scanner::Hooks hooks() {
        return {.scanned = [](const Topology&) {},
                .blocks_read =
                    [this](const Blocks& looked_at, const std::vector<Block>&) {
                        reads_.emplace_back(looked_at);
                        at_.push_back(Clock::now());
                        if (on_read_) on_read_();
                    },
                .removed = [](const std::string&) {},
                .failed = [](const Error&) {}};
    }

    EventLoop loop_;
    Worker worker_{loop_, std::make_unique<test::FakeBackend>()};
    std::unique_ptr<Events> source_ = std::make_unique<Events>();
    Events& events_ = *source_;
    Scanner scanner_{loop_, worker_, std::move(source_), hooks()};
    std::vector<Blocks> reads_;
    std::vector<Clock::time_point> at_;
    std::function<void()> on_read_;
    EventLoop::Source late_ = loop_.add_timer(5'000'000, [this] { loop_.exit(1); });
};

TEST_F(ScannerTest, ABlockByItselfIsReadWithoutWaitingForMore) {
    // On a crowded machine the worker may be late now and then, but not each time.
    EventLoop::Source next;
    EventLoop::Source limit;
    bool in_time = false;
    std::uint64_t turn = 0;
    const std::function<void()> one = [&] {
        if (in_time || turn == 50) return loop_.exit(0);
        events_.block(++turn);
        limit = loop_.add_timer(8'000, [&] { limit.reset(); });  // what comes together is gathered for ten
    };
    on_read_ = [&] {
        in_time = static_cast<bool>(limit);
        next = loop_.add_timer(20'000, one);
    };
    one();
    ASSERT_EQ(loop_.run(), 0);
    EXPECT_TRUE(in_time);
    EXPECT_THAT(reads_.front(), ElementsAre(BlockIndex{1}));
}

TEST_F(ScannerTest, WhatComesSoonAfterIsGathered) {
    EventLoop::Source more;
    std::uint64_t next = 8;
    const std::function<void()> another = [&] {
        events_.block(next);
        if (++next < 12) more = loop_.add_timer(1'000, another);
    };
    on_read_ = [&] {
        if (reads_.size() == 1) another();
        if (next == 12 && reads_.back().back() == BlockIndex{11}) loop_.exit(0);
    };
    events_.block(7);
    ASSERT_EQ(loop_.run(), 0);
    EXPECT_THAT(reads_.front(), ElementsAre(BlockIndex{7}));
    EXPECT_LT(reads_.size(), 5U) << "four more events, a millisecond apart, are no four reads";
    EXPECT_GE(at_[1] - at_[0], std::chrono::milliseconds{9});
}

}  // namespace
}  // namespace cxlmemd
