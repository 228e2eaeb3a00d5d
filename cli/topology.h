// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's CXL memory as a picture, for the terminal and as SVG. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/objects.h"
#include "cli/text.h"

namespace cxlmemctl {

struct Detail {
    std::string text;  // not yet escaped
    Colour colour = Colour::none;
};

struct Part {
    enum class Kind { bridge, card, window, region, dax, node };
    Kind kind = Kind::card;
    std::string title;
    std::vector<Detail> details;
};

// From one part to another, by index.
struct Link {
    std::size_t from = 0;
    std::size_t to = 0;
    bool possible_only = false;  // a window that a card could be used through, and is not
};

// What there is, kinds in the order of Part::Kind, and what leads to what.
struct Machine {
    std::vector<Part> parts;
    std::vector<Link> links;
};

// The host bridge of a card is that of its windows if they have one, or the one with the nearest lower bus
// number among theirs; unknown otherwise. Switches are not on the bus, and not in here.
[[nodiscard]] Machine machine_of(const Objects& objects);

// As trees, at most `columns` wide as long as no single word is wider.
[[nodiscard]] std::string topology_text(const Machine& machine, std::size_t columns, bool ascii,
                                        const Paint& paint);

// One self-contained file: no font, script or image from elsewhere; for a light and a dark page.
[[nodiscard]] std::string topology_svg(const Machine& machine);

}  // namespace cxlmemctl
