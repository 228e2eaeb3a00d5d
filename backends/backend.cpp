// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/backend.h"

namespace cxlmemd {

std::string_view to_string(BlockTarget target) {
    switch (target) {
        case BlockTarget::offline: return "offline";
        case BlockTarget::online_kernel: return "online_kernel";
        case BlockTarget::online_movable: return "online_movable";
    }
    return "offline";
}

}  // namespace cxlmemd
