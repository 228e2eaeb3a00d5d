// SPDX-License-Identifier: LGPL-2.1-or-later
// The largest texts that are allowed, each made to be slow in its own way.
#pragma once

#include <string_view>
#include <vector>

#include "policy/compile.h"

namespace cxlmemd::test {

struct LargeText {
    std::string_view name;
    std::vector<SourceFile> (*files)();
};

[[nodiscard]] const std::vector<LargeText>& large_texts();

}  // namespace cxlmemd::test
