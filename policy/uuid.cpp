// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/uuid.h"

#include <cctype>
#include <cstddef>

namespace cxlmemd {

std::optional<std::string> uuid_from(std::string_view text) {
    constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (text.size() != form.size()) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (form[i] == '-' ? c != '-' : std::isxdigit(c) == 0) return std::nullopt;
        out += static_cast<char>(std::tolower(c));
    }
    return out;
}

}  // namespace cxlmemd
