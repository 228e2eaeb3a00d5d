// SPDX-License-Identifier: LGPL-2.1-or-later
// Texts that can never fit, because the kernel writes such names in another way. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cxlmemd {

enum class Noun : std::uint8_t {
    host,          // of a card: a PCI function, "0000:0d:00.0"
    region,        // "region0"
    root_decoder,  // "decoder0.0"
    dax,           // "dax0.0"
};

// A warning, with the right spelling where it can be guessed, if no name of the kernel's fits the pattern. A
// host that is not like a PCI function's is left alone: other buses have names of their own.
[[nodiscard]] std::optional<std::string> never_fits(Noun noun, const std::string& pattern);

}  // namespace cxlmemd
