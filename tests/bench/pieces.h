// SPDX-License-Identifier: LGPL-2.1-or-later
// What the daemon does over and over on a large machine, piece by piece: timed by scale_bench, and its
// instructions counted by instructions.py.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

namespace cxlmemd::test {

struct Piece {
    std::string_view name;
    // Makes what the piece needs, and returns the piece itself, which may be called again and again.
    std::function<void()> (*prepare)();
};

[[nodiscard]] const std::vector<Piece>& pieces();

}  // namespace cxlmemd::test
