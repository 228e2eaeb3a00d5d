// SPDX-License-Identifier: LGPL-2.1-or-later
// The emulator as a backend: Machine behind Backend's rules, and a way to make things happen in it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "backends/emulator/clock.h"
#include "backends/emulator/description.h"
#include "backends/emulator/inject_value.h"

namespace cxlmemd {

// Something happened that a step of the scenario, or an Inject for later, had ordered; or the emulated kernel
// has something to say.
struct ScenarioReport {
    std::string place;  // "pulled.toml:12", or "Inject"; empty: the kernel
    std::string event;  // or what it says: "kmem dax0.0: mapping0: ..."
    Result<> outcome;
};

// A caller of the daemon's API, as the event `ask` orders it: what root would have called.
struct CallerAsk {
    std::string
        method;  // "online", "offline", "set-mode", "prepare-remove", "remove-region", "hold", "release", ...
    std::string object;  // "dax0.0", "mem0", "region0"; empty for apply and reload
    std::string zone{};
    std::string mode{};
    std::optional<std::uint64_t> amount{};        // bytes
    std::optional<std::uint64_t> timeout_usec{};  // 0: no limit
    std::optional<bool> rollback{};
    bool hold = true;
};

// The methods that `ask` knows.
[[nodiscard]] std::vector<std::string_view> ask_methods();

// org.cxlmemd1.Emulator, without the bus.
class EmulatorControl {
 public:
    EmulatorControl() = default;
    EmulatorControl(const EmulatorControl&) = delete;
    EmulatorControl& operator=(const EmulatorControl&) = delete;
    virtual ~EmulatorControl() = default;

    // Makes an event of docs/emulator.md happen. invalid_argument names the event or the detail that
    // is unknown, missing or of the wrong type, and nothing has happened then; what the emulated
    // kernel said no to comes back with its errno. Any thread: it waits for no operation that hangs
    // or takes its time, so a device can be pulled in the middle of one.
    [[nodiscard]] virtual Result<> inject(const std::string& event, const InjectDetails& details) = 0;

    // The time of the scenario's steps starts now. Any thread, once.
    virtual void start_scenario() = 0;
    // Who hears of what was ordered for later, and of the kernel's log: the thread that calls
    // EventSource::take(), inside it. Not while another thread does that.
    virtual void on_report(std::function<void(const ScenarioReport&)> report) = 0;
    // The same of `ask`. Nobody hears of it without.
    virtual void on_ask(std::function<void(const CallerAsk&)> ask) = 0;
};

struct Emulator {
    BackendPair pair;
    EmulatorControl* control = nullptr;  // lives as long as pair.worker_side
};

// Throws std::system_error if the kernel has no file descriptors left. The emulator's time is the clock's;
// by itself, CLOCK_MONOTONIC.
[[nodiscard]] Emulator make_emulator(emulator::MachineDescription description);
[[nodiscard]] Emulator make_emulator(emulator::MachineDescription description,
                                     std::unique_ptr<emulator::Clock> clock);

namespace emulator {
class Core;
}
// The same, of a machine that the caller knows from inside.
[[nodiscard]] Emulator make_emulator(std::shared_ptr<emulator::Core> core);

}  // namespace cxlmemd
