// SPDX-License-Identifier: LGPL-2.1-or-later
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

// A number with us, ms, s or min behind it, as microseconds; it may have decimals ("1.5s", "20 ms"). What is
// less than a microsecond is cut off.
[[nodiscard]] std::optional<std::uint64_t> parse_duration_usec(std::string_view text);

// "0.25", "1"
[[nodiscard]] std::optional<double> parse_fraction(std::string_view text);

// Whether the kernel's drivers could give a device this name: 1 to 255 letters, digits and ._:@+-, of which
// the first is a letter or digit. So that it is safe wherever it turns up: as a path, an argument, in a
// shell.
[[nodiscard]] bool is_device_name(std::string_view text);

}  // namespace cxlmemd::emulator
