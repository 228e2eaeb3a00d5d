// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "cli/topology.h"

namespace cxlmemctl {
namespace {

struct Lines {
    std::string_view branch, last, bar, gap, arrow;
};
constexpr Lines drawn = {"├─ ", "└─ ", "│  ", "   ", "→ "};
constexpr Lines typed = {"|- ", "`- ", "|  ", "   ", "-> "};

class Drawing final {
 public:
    Drawing(const Machine& machine, std::size_t columns, bool ascii, const Paint& paint)
        : machine_(machine), columns_(columns), lines_(ascii ? typed : drawn), paint_(paint) {}

    std::string text() {
        hardware();
        for (const auto& [kind, title] : {std::pair{Part::Kind::window, "Windows, and what is made in them"},
                                          {Part::Kind::region, "Regions of no window"},
                                          {Part::Kind::dax, "Memory of no region"}}) {
            section(title, roots(kind));
        }
        section("Nodes", of(Part::Kind::node));
        return std::move(out_);
    }

 private:
    using Indices = std::vector<std::size_t>;

    [[nodiscard]] Indices of(Part::Kind kind) const {
        Indices found;
        for (std::size_t i = 0; i < machine_.parts.size(); ++i) {
            if (machine_.parts[i].kind == kind) found.push_back(i);
        }
        return found;
    }

    [[nodiscard]] bool is_below(std::size_t part, Part::Kind above) const {
        return std::any_of(machine_.links.begin(), machine_.links.end(), [&](const Link& link) {
            return link.to == part && machine_.parts[link.from].kind == above;
        });
    }

    // Those of a kind that do not stand under something in this tree.
    [[nodiscard]] Indices roots(Part::Kind kind) const {
        Indices found = of(kind);
        const auto above = kind == Part::Kind::region ? Part::Kind::window : Part::Kind::region;
        if (kind != Part::Kind::window)
            std::erase_if(found, [&](std::size_t i) { return is_below(i, above); });
        return found;
    }

    // Nodes are not drawn under each of their devices: an arrow names them.
    [[nodiscard]] Indices below(std::size_t part) const {
        Indices found;
        for (const Link& link : machine_.links) {
            if (link.from != part || link.possible_only) continue;
            const Part::Kind kind = machine_.parts[link.to].kind;
            if (kind != Part::Kind::node && kind != Part::Kind::window) found.push_back(link.to);
        }
        std::sort(found.begin(), found.end());
        return found;
    }

    void hardware() {
        section("Host bridges, and the cards below them", of(Part::Kind::bridge));
        Indices cards = of(Part::Kind::card);
        std::erase_if(cards, [&](std::size_t i) { return is_below(i, Part::Kind::bridge); });
        section(!of(Part::Kind::bridge).empty() ? "Cards whose host bridge is not known" : "Cards", cards);
    }

    void section(const char* title, const Indices& roots) {
        if (roots.empty()) return;
        if (!out_.empty()) out_ += "\n";
        out_ += paint_(Colour::bold, title) + "\n";
        for (const std::size_t root : roots) draw(root, "", "");
    }

    void draw(std::size_t part, const std::string& first, const std::string& rest) {
        const Indices children = below(part);
        words(part, first, rest + std::string(children.empty() ? lines_.gap : lines_.bar));
        for (std::size_t i = 0; i < children.size(); ++i) {
            const bool is_last = i + 1 == children.size();
            draw(children[i], rest + std::string(is_last ? lines_.last : lines_.branch),
                 rest + std::string(is_last ? lines_.gap : lines_.bar));
        }
    }

    // The title and its details; what does not fit goes on in the next line.
    void words(std::size_t index, const std::string& first, const std::string& rest) {
        const Part& part = machine_.parts[index];
        std::string line = first + paint_(Colour::bold, escape(part.title));
        bool is_fresh = false;
        const auto put = [&](const std::string& word, std::string_view space) {
            if (!is_fresh && width(line) + space.size() + width(word) > columns_) {
                out_ += line + "\n";
                line = rest;
                is_fresh = true;
            }
            line += (is_fresh ? "" : std::string(space)) + word;
            is_fresh = false;
        };
        for (const Detail& detail : part.details) {
            if (detail.text.empty()) continue;
            std::string_view space = "  ";
            std::string text = escape(detail.text);
            // A sentence may be folded, a measure not.
            if (text.size() <= 24) {
                put(paint_(detail.colour, text), space);
                continue;
            }
            for (std::size_t begin = 0; begin < text.size();) {
                const std::size_t end = std::min(text.find(' ', begin), text.size());
                put(paint_(detail.colour, text.substr(begin, end - begin)), space);
                space = " ";
                begin = end + 1;
            }
        }
        for (const Link& link : machine_.links) {
            const Part& to = machine_.parts[link.to];
            if (link.from == index && to.kind == Part::Kind::node) {
                put(std::string(lines_.arrow) + escape(to.title), "  ");
            }
        }
        out_ += line + "\n";
    }

    const Machine& machine_;
    std::size_t columns_;
    const Lines& lines_;
    const Paint& paint_;
    std::string out_;
};

}  // namespace

std::string topology_text(const Machine& machine, std::size_t columns, bool ascii, const Paint& paint) {
    return Drawing(machine, columns, ascii, paint).text();
}

}  // namespace cxlmemctl
