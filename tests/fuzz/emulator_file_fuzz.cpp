// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a topology or scenario file: no crash, problems with places that exist, and a machine that
// lives through its scenario.
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "backends/emulator/file.h"
#include "tests/fuzz/emulated_machine.h"

namespace {

using namespace cxlmemd;
using fuzz::must;

void check_problems(const std::vector<emulator::FileProblem>& problems, const std::string& text) {
    std::size_t lines = 1;
    for (const char c : text) lines += c == '\n' ? 1 : 0;
    must(!problems.empty());
    std::tuple<std::uint32_t, std::uint32_t> last;
    for (const emulator::FileProblem& problem : problems) {
        const std::tuple place{problem.line, problem.column};
        must(last <= place);
        last = place;
        must(problem.line <= lines && problem.column <= text.size() + 1);
        must(!problem.message.empty());
    }
}

bool is_small(const emulator::MachineDescription& machine) {
    constexpr std::uint64_t most = 4096;
    std::uint64_t blocks = 0;
    for (const emulator::DaxDescription& dax : machine.dax_devices) {
        for (const PhysRange& range : dax.device.ranges) {
            blocks += machine.block_size.value() == 0 ? 0 : range.size.value() / machine.block_size.value();
        }
    }
    return blocks <= most;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    emulator::ParsedMachine parsed = emulator::parse_machine(text, "f");
    if (!parsed) {
        check_problems(parsed.error(), text);
        return 0;
    }
    if (!is_small(*parsed)) return 0;
    // Nobody is there to end a hang.
    std::erase_if(parsed->scenario.steps, [](const emulator::Step& step) {
        return step.event == "hang" || step.event == "begin-offline";
    });
    for (emulator::Step& step : parsed->scenario.steps) fuzz::keep_small(step.details);
    fuzz::World world{std::move(*parsed)};
    for (unsigned turn = 0; turn < 8; ++turn) {
        world.use(turn * 13);
        world.advance(turn < 6 ? 100'000 : 3'600'000'000);
    }
    static_cast<void>(world.scan());
    return 0;
}
