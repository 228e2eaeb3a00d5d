// SPDX-License-Identifier: LGPL-2.1-or-later
// What the loop hears of the worker while it works.
#include "daemon/worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "fake_backend.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using Clock = std::chrono::steady_clock;

TEST(Worker, ProgressIsToldInLots) {
    EventLoop loop;
    Worker worker{loop, std::make_unique<FakeBackend>()};
    std::vector<std::uint64_t> told;
    const auto began = Clock::now();
    worker.submit(
        [&](Backend&) -> Worker::Completion {
            // As long as it takes for a few lots: a value each 100 µs.
            for (std::uint64_t value = 1; Clock::now() - began < std::chrono::milliseconds{300}; ++value) {
                worker.progress(value);
                std::this_thread::sleep_for(std::chrono::microseconds{100});
            }
            return [&] { loop.exit(0); };
        },
        [&](std::uint64_t value) { told.push_back(value); });
    loop.run();
    EXPECT_TRUE(std::ranges::is_sorted(told));
    EXPECT_GE(told.size(), 2U) << "the first at once, and one later";
    EXPECT_LE(told.size(), 8U) << "one each 50 ms";
}

TEST(Worker, TheLastWordOfATaskThatHangsIsHeard) {
    EventLoop loop;
    Worker worker{loop, std::make_unique<FakeBackend>()};
    std::promise<void> first_heard;
    std::promise<void> last_heard;
    std::vector<std::uint64_t> told;
    worker.submit(
        [&](Backend&) -> Worker::Completion {
            worker.progress(1);
            first_heard.get_future().wait();
            for (std::uint64_t value = 2; value <= 100; ++value) worker.progress(value);
            last_heard.get_future().wait();
            return [&] { loop.exit(0); };
        },
        [&](std::uint64_t value) {
            told.push_back(value);
            if (value == 1) first_heard.set_value();
            if (value == 100) last_heard.set_value();
        });
    loop.run();
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), 100U);
}

}  // namespace
}  // namespace cxlmemd
