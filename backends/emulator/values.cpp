#include "backends/emulator/values.h"

#include <algorithm>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace cxlmemd::emulator {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 4> units{
        {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
    unsigned shift = 0;
    for (const auto& [unit, bits] : units) {
        if (!text.ends_with(unit)) continue;
        shift = bits;
        text.remove_suffix(unit.size());
        while (text.ends_with(' ')) text.remove_suffix(1);
        break;
    }
    const std::optional<std::uint64_t> number = parse_number(text);
    if (!number || *number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
    return *number << shift;
}

bool is_device_name(std::string_view text) {
    constexpr std::size_t name_max = 255;  // NAME_MAX of limits.h: sysfs shows each device as a folder
    if (text.empty() || text.size() > name_max || text == "." || text == "..") return false;
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f || c == '/';
    });
}

}  // namespace cxlmemd::emulator
