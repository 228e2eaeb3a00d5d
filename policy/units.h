// SPDX-License-Identifier: LGPL-2.1-or-later
// Strong types for quantities that must not be mixed up.
//
// Each wraps one integer, compares and prints like it, and converts only on request.
// All of them are plain values: any thread may use them.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace cxlmemd {

template <class Tag, class Rep>
class Strong final {
 public:
    using rep = Rep;

    constexpr Strong() = default;
    constexpr explicit Strong(Rep value) : value_(value) {}

    [[nodiscard]] constexpr Rep value() const { return value_; }
    constexpr auto operator<=>(const Strong&) const =
        default;  // NOLINT(modernize-use-nullptr): false alarm of 14

 private:
    Rep value_{};
};

// Index of a memory block: block N covers physical [N * block size, (N + 1) * block size).
// The kernel shows it as /sys/devices/system/memory/memoryN.
using BlockIndex = Strong<struct BlockIndexTag, std::uint64_t>;

// NUMA node number as the kernel gives it; -1 is "no node" (NUMA_NO_NODE).
using NodeId = Strong<struct NodeIdTag, int>;

// A physical address, in bytes from zero.
using PhysAddr = Strong<struct PhysAddrTag, std::uint64_t>;

// A size in bytes.
using Bytes = Strong<struct BytesTag, std::uint64_t>;

// Latency in nanoseconds, as node*/access*/initiators/*_latency reports it.
using Nanoseconds = Strong<struct NanosecondsTag, std::uint32_t>;

// Bandwidth in MB/s (10^6 bytes), as node*/access*/initiators/*_bandwidth reports it.
using MegabytesPerSecond = Strong<struct MegabytesPerSecondTag, std::uint32_t>;

constexpr Bytes operator+(Bytes a, Bytes b) {
    return Bytes{a.value() + b.value()};
}
constexpr Bytes operator-(Bytes a, Bytes b) {
    return Bytes{a.value() - b.value()};
}
constexpr Bytes& operator+=(Bytes& a, Bytes b) {
    return a = a + b;
}

inline constexpr NodeId no_node{-1};

}  // namespace cxlmemd

template <class Tag, class Rep>
struct std::hash<cxlmemd::Strong<Tag, Rep>> {
    std::size_t operator()(const cxlmemd::Strong<Tag, Rep>& v) const noexcept {
        return std::hash<Rep>{}(v.value());
    }
};
