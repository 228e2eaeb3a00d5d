// The emulator as a backend: Machine behind Backend's rules, and a way to make things happen in it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "backends/backend.h"
#include "backends/emulator/description.h"

namespace cxlmemd {

using InjectValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
using InjectDetails = std::map<std::string, InjectValue>;

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
};

struct Emulator {
    BackendPair pair;
    EmulatorControl* control = nullptr;  // lives as long as pair.worker_side
};

// Throws std::system_error if the kernel has no file descriptors left.
[[nodiscard]] Emulator make_emulator(emulator::MachineDescription description);

}  // namespace cxlmemd
