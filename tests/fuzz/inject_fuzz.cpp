// SPDX-License-Identifier: LGPL-2.1-or-later
// Any events with any details, one after the other, and somebody who uses the machine in between: no crash,
// what is refused for its details is said to be so, and the machine stays one.
//
// The input is text, so that it can be read and written by hand: a line is an event and its details,
// "online-block dax=dax0.0 nth=u4 zone=movable"; values are strings, or integers, doubles and booleans behind
// i, u, d and b. "+ 20000" lets time pass (microseconds), "* 4" uses the machine.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "backends/emulator/inject.h"
#include "tests/fuzz/emulated_machine.h"

namespace {

using namespace cxlmemd;
using fuzz::must;

constexpr std::size_t most_lines = 64;

template <class T>
T number(std::string_view text) {
    T value{};
    static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), value));
    return value;
}

InjectValue value_of(const std::string& text) {
    const std::string_view rest = text.empty() ? std::string_view{} : std::string_view{text}.substr(1);
    switch (text.empty() ? ' ' : text.front()) {
        case 'i': return number<std::int64_t>(rest);
        case 'u': return number<std::uint64_t>(rest);
        case 'd': return number<double>(rest);
        case 'b': return rest == "true";
        case '=': return std::string{rest};
        default: return text;
    }
}

void inject(fuzz::World& world, const std::string& event, InjectDetails details) {
    const bool sound = emulator::read_order(event, details, "f").problems.empty();
    if (event == "hang" || event == "begin-offline") return;  // nobody is there to end it
    fuzz::keep_small(details);
    if (!sound && emulator::read_order(event, details, "f").problems.empty()) return;
    if (sound) {
        static_cast<void>(world.control().inject(event, details));
        return;
    }
    const Result<> refused = world.control().inject(event, details);
    must(!refused && refused.error().code == ErrorCode::invalid_argument);
    must(!refused.error().reason.empty());
}

void line_of(fuzz::World& world, const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "+" || word == "*") {
        std::string count;
        words >> count;
        const auto value = number<std::uint32_t>(count);
        return word == "+" ? world.advance(value) : world.use(value);
    }
    InjectDetails details;
    for (std::string detail; words >> detail;) {
        const std::size_t is = std::min(detail.find('='), detail.size());
        details[detail.substr(0, is)] = value_of(is < detail.size() ? detail.substr(is + 1) : std::string{});
    }
    inject(world, word, std::move(details));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::istringstream text(std::string(reinterpret_cast<const char*>(data), size));
    emulator::MachineDescription description = emulator::two_card_server();
    description.features.dax_state = true;
    description.features.weighted_interleave_auto = true;
    description.dynamic_regions = {"region0"};
    description.live_extents = size % 2 == 1;
    description.late_dax_usec = size % 3 == 0 ? 20'000 : 0;
    for (Region& region : description.regions) region.size = Bytes{1ULL << 30};
    for (emulator::DaxDescription& dax : description.dax_devices) {
        dax.device.ranges.front().size = Bytes{1ULL << 29};
    }
    fuzz::World world{std::move(description)};
    std::size_t lines = 0;
    for (std::string line; lines < most_lines && std::getline(text, line); ++lines) line_of(world, line);
    world.advance(3'600'000'000);
    static_cast<void>(world.scan());
    return 0;
}
