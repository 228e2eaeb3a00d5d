// SPDX-License-Identifier: LGPL-2.1-or-later
// A small machine with a scenario, and its time, for tests.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "tests/unit/manual_clock.h"

namespace cxlmemd::emulator {

inline constexpr const char* machine_text = R"(
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

}  // namespace cxlmemd::emulator
