// SPDX-License-Identifier: LGPL-2.1-or-later
// A small generator whose numbers are the same on every machine, for faults that strike with a probability.
#pragma once

#include <cstdint>

namespace cxlmemd::emulator {

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Dice final {
 public:
    explicit Dice(std::uint64_t seed = 0) : state_(seed) {}

    [[nodiscard]] std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }
    // True with this probability, 0 to 1.
    [[nodiscard]] bool falls(double probability) {
        constexpr double steps = 9007199254740992.0;  // 2^53: what a double can tell apart
        return static_cast<double>(next() >> 11) < probability * steps;
    }

 private:
    std::uint64_t state_;
};

}  // namespace cxlmemd::emulator
