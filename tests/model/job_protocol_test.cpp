// SPDX-License-Identifier: LGPL-2.1-or-later
// Explores every interleaving of the model of the job protocol.
#include "tests/model/job_protocol.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>

namespace cxlmemd::model {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t most_states = 4'000'000;

struct Found {
    std::string wrong;  // empty: nothing
    std::vector<std::string> way;
    std::size_t states = 0;
    std::map<Result, std::size_t> ends;
};

// Depth first. A state is open while what follows from it by the daemon's own steps is being looked at: to
// meet it again by such steps alone is a loop that the daemon never leaves.
class Explorer final {
 public:
    explicit Explorer(Variant variant) : variant_(variant) {}

    Found run() {
        push(first_state(), "");
        while (!stack_.empty() && found_.wrong.empty() && seen_.size() < most_states) go_on();
        found_.states = seen_.size();
        if (seen_.size() >= most_states) found_.wrong = "too many states";
        return std::move(found_);
    }

 private:
    struct Frame {
        std::map<State, bool>::iterator state;
        std::vector<Step> steps;
        std::size_t next = 0;
        std::string name;
        std::size_t run_of_daemon = 0;  // the frames above this one down to here are the daemon's own steps
    };

    void push(const State& state, const std::string& name, bool of_daemon = false) {
        const auto [place, is_new] = seen_.emplace(state, true);
        if (!is_new) {
            if (of_daemon && place->second && is_in_own_run(place))
                fail("the daemon goes round and round", name);
            return;
        }
        std::vector<Step> steps = steps_from(state, variant_);
        const bool rests = std::ranges::none_of(steps, &Step::of_daemon);
        const std::size_t run = of_daemon ? stack_.back().run_of_daemon : stack_.size();
        stack_.push_back({place, std::move(steps), 0, name, run});
        if (!rests) return;
        if (const std::string wrong = wrong_at_rest(state); !wrong.empty()) fail(wrong, "");
        for (const Job& job : state.jobs) ++found_.ends[job.result];
    }

    [[nodiscard]] bool is_in_own_run(std::map<State, bool>::iterator place) const {
        for (std::size_t i = stack_.back().run_of_daemon; i < stack_.size(); ++i) {
            if (stack_[i].state == place) return true;
        }
        return false;
    }

    void go_on() {
        Frame& top = stack_.back();
        if (top.next == top.steps.size()) {
            top.state->second = false;
            stack_.pop_back();
            return;
        }
        const Step step = top.steps[top.next++];
        if (!step.wrong.empty()) return fail(step.wrong, step.name);
        push(step.next, step.name, step.of_daemon);
    }

    void fail(const std::string& wrong, const std::string& last) {
        found_.wrong = wrong;
        for (const Frame& frame : stack_) found_.way.push_back(frame.name);
        found_.way.push_back(last);
    }

    const Variant variant_;
    std::map<State, bool> seen_;  // open?
    std::vector<Frame> stack_;
    Found found_;
};

Found explore(Variant variant) {
    return Explorer{variant}.run();
}

TEST(JobProtocol, NoUnbindOverAnOnlineBlockNoJobWithoutAnEndNoActionOnASuccessor) {
    const Found found = explore(Variant::right);
    EXPECT_THAT(found.wrong, IsEmpty()) << ::testing::PrintToString(found.way);
    RecordProperty("states", static_cast<int>(found.states));
    EXPECT_GT(found.states, 10'000U) << "else this proves little";
    for (const Result result : {Result::done, Result::canceled, Result::failed, Result::gone})
        EXPECT_TRUE(found.ends.contains(result)) << static_cast<int>(result) << " never happens";
}

struct Mutant {
    const char* name;
    Variant variant;
    const char* wrong;
};

void PrintTo(const Mutant& mutant, std::ostream* out) {
    *out << mutant.name;
}

class WrongVariant : public ::testing::TestWithParam<Mutant> {};

TEST_P(WrongVariant, IsFound) {
    EXPECT_THAT(explore(GetParam().variant).wrong, HasSubstr(GetParam().wrong));
}

INSTANTIATE_TEST_SUITE_P(
    JobProtocol, WrongVariant,
    ::testing::Values(
        Mutant{"WorkerIgnoresTheOwner", Variant::worker_ignores_the_owner, "successor"},
        Mutant{"WorkerIgnoresTheBlocks", Variant::worker_ignores_the_blocks, "unbind over an online block"},
        Mutant{"LoopGoesByName", Variant::loop_goes_by_name, "round and round"},
        Mutant{"InterruptsOnce", Variant::interrupts_once, "without an end"},
        Mutant{"JobThatWentKeepsTheQueue", Variant::job_that_went_keeps_the_queue, "without an end"},
        Mutant{"TakesAreNotedAfterwards", Variant::takes_are_noted_afterwards, "left a block behind"},
        Mutant{"FailedUnbindIsRepeated", Variant::failed_unbind_is_repeated, "round and round"}),
    [](const auto& row) { return std::string{row.param.name}; });

}  // namespace
}  // namespace cxlmemd::model
