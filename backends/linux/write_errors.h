// SPDX-License-Identifier: LGPL-2.1-or-later
// What the errno of a write to a memory block or to daxX.Y/state means to a person. Pure, any thread.
#pragma once

#include <string>

#include "backends/backend.h"

namespace cxlmemd {

[[nodiscard]] std::string block_words(BlockIndex block);  // "memory block 182"

[[nodiscard]] Error block_error(BlockIndex block, BlockTarget target, int errnum);
[[nodiscard]] Error state_error(const DaxIdentity& device, HotplugState state, int errnum);

}  // namespace cxlmemd
