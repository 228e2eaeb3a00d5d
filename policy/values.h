// SPDX-License-Identifier: LGPL-2.1-or-later
// The words of single values: sizes, times, bandwidths, percentages, serials, comparisons, ranges.
// Text in, number out, or a sentence that says what to write. Nobody here knows keys or places.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "policy/interval.h"
#include "policy/policy.h"

namespace cxlmemd {

// The error is a sentence without full stop and without a place.
template <class T>
using Parsed = tl::expected<T, std::string>;

// "16GiB", "16 GiB", "4096" (bytes). Whole numbers only; B, KiB, MiB, GiB, TiB.
[[nodiscard]] Parsed<Bytes> parse_size(std::string_view text);

// "60s", "500ms", "2min"; a unit is a must, since seconds and microseconds are both usual. Result in
// microseconds, at most a week. "0s" is 0.
[[nodiscard]] Parsed<std::uint64_t> parse_duration_usec(std::string_view text);

// "42", "0x2a", up to 64 bits.
[[nodiscard]] Parsed<std::uint64_t> parse_serial(std::string_view text);

// ">= 16GiB", "<400ns", "16 GB/s", "2": operators <, <=, >, >=, = and ==; without one, equal. Without a
// unit: bytes, ns, MB/s, ways. An error if no device can ever fulfil it.
[[nodiscard]] Parsed<Compare> parse_compare(std::string_view text, Quantity quantity);

// The same for a bare integer of TOML.
[[nodiscard]] Parsed<Compare> compare_equal(std::int64_t number, Quantity quantity);

// "all", "none", "75%", "96GiB".
[[nodiscard]] Parsed<Amount> parse_amount(std::string_view text);

// "0x590000000-0x98fffffff": first and last byte, both in hex with 0x.
[[nodiscard]] Parsed<std::pair<PhysAddr, PhysAddr>> parse_phys_range(std::string_view text);

// A pattern for a device name or PCI address.
[[nodiscard]] Parsed<Glob> parse_glob(std::string_view text);

}  // namespace cxlmemd
