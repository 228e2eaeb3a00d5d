// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts what this program allocates with new. Link counting_new.cpp to it.
#pragma once

#include <cstddef>

namespace cxlmemd::test {

// From its making on: the most bytes that were allocated at one time, above what was then.
class CountedMemory final {
 public:
    CountedMemory();
    [[nodiscard]] std::size_t peak() const;

 private:
    std::size_t before_;
};

}  // namespace cxlmemd::test
