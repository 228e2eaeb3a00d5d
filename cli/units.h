// SPDX-License-Identifier: LGPL-2.1-or-later
// Sizes and times as people write and read them.
//
// Pure. Parsing accepts what policy files accept: KiB, MiB, GiB, TiB; ns, us, ms, s, min.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "cli/failure.h"

namespace cxlmemctl {

struct AllMemory {
    bool operator==(const AllMemory&) const = default;
};
struct Percent {
    double value = 0;  // > 0, <= 100
    bool operator==(const Percent&) const = default;
};
struct ByteCount {
    std::uint64_t value = 0;  // > 0
    bool operator==(const ByteCount&) const = default;
};
// --amount: "all", "75%", "96GiB", or bytes.
using Amount = std::variant<AllMemory, Percent, ByteCount>;

[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);
[[nodiscard]] Result<Amount> parse_amount(std::string_view text);

// Microseconds. A bare number is seconds, as everywhere in systemd.
[[nodiscard]] Result<std::uint64_t> parse_usec(std::string_view text);

// The part of `whole` bytes, rounded down to whole blocks (block 0: to bytes).
[[nodiscard]] std::uint64_t part_of(Percent percent, std::uint64_t whole, std::uint64_t block);

// "16 GiB", "1.5 TiB", "640 B": exact where a whole or half unit says it, else rounded to two digits
// after the point.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

// "0x590000000"
[[nodiscard]] std::string format_hex(std::uint64_t value);

}  // namespace cxlmemctl
