// Numbers and sizes as people write them, in files and in Inject.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cxlmemd::emulator {

// "42" or "0x2a"; nothing else around it.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// A number, or one with KiB, MiB, GiB or TiB behind it ("4GiB", "4 GiB"). Empty if it exceeds 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

// Whether the kernel could give a device this name: 1 to 255 bytes, no slash, no control character, not "."
// or "..".
[[nodiscard]] bool is_device_name(std::string_view text);

}  // namespace cxlmemd::emulator
