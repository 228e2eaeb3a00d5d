// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "cli/topology.h"

namespace cxlmemctl {
namespace {

// In pixels. The widths are of a letter of a font whose letters are all as wide.
constexpr double letter = 6.7;
constexpr double line_height = 15;
constexpr double padding = 9;
constexpr double column_gap = 60;
constexpr double row_gap = 14;
constexpr double margin = 20;
constexpr double head = 34;
constexpr std::size_t letters_at_most = 30;
constexpr std::string_view legend = "dashed: a window through which the card could be used, and is not";

struct Box {
    double x = 0, y = 0, w = 0, h = 0;
    std::vector<std::pair<std::string, Colour>> lines;  // below the title; escaped
    [[nodiscard]] double middle() const { return y + h / 2; }
};

// Control characters as everywhere, and what XML wants.
std::string xml(const std::string& text) {
    std::string out;
    for (const char c : escape(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

// Folded between words; a longer word stays whole.
std::vector<std::string> folded(const std::string& text) {
    std::vector<std::string> out(1);
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        if (!out.back().empty() && width(out.back()) + 1 + width(word) > letters_at_most) out.emplace_back();
        out.back() += (out.back().empty() ? "" : " ") + word;
        begin = end + 1;
    }
    return out;
}

const char* class_of(Colour colour) {
    switch (colour) {
        case Colour::green: return "good";
        case Colour::yellow: return "warn";
        case Colour::red: return "bad";
        case Colour::dim: return "dim";
        case Colour::none:
        case Colour::bold: break;
    }
    return "plain";
}

constexpr std::string_view style = R"(<style>
svg { --page: #ffffff; --box: #f4f6f8; --line: #8a94a0; --text: #1b1f24; --dim: #5b6570;
  --good: #1a7f37; --warn: #8a5a00; --bad: #c4221f }
@media (prefers-color-scheme: dark) {
  svg { --page: #15181c; --box: #21262d; --line: #6b7683; --text: #e6edf3; --dim: #a0abb8;
    --good: #56d364; --warn: #e3b341; --bad: #ff7b72 }
}
.page { fill: #ffffff; fill: var(--page) }
.box { fill: #f4f6f8; fill: var(--box); stroke: #8a94a0; stroke: var(--line) }
.link { fill: none; stroke: #8a94a0; stroke: var(--line); stroke-width: 1.5 }
.possible { stroke-dasharray: 4 4; stroke-width: 1 }
text { font: 11px monospace; fill: #1b1f24; fill: var(--text) }
.title { font-weight: bold; font-size: 12px }
.dim, .head { fill: #5b6570; fill: var(--dim) }
.good { fill: #1a7f37; fill: var(--good) }
.warn { fill: #8a5a00; fill: var(--warn) }
.bad { fill: #c4221f; fill: var(--bad) }
</style>
)";

class Page final {
 public:
    explicit Page(const Machine& machine) : machine_(machine) {
        boxes_.reserve(machine.parts.size());
        for (const Part& part : machine.parts) boxes_.push_back(sized(part));
        place();
    }

    [[nodiscard]] std::string svg() const {
        std::string out = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
            "height=\"{1:.0f}\" role=\"img\" aria-label=\"CXL memory of this machine\">\n<title>CXL memory "
            "of this "
            "machine</title>\n{2}<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
            width_, height_, style);
        for (const auto& [kind, x] : columns_) {
            out += fmt::format("<text class=\"head\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x, margin + 10,
                               heading(kind));
        }
        for (const Link& link : machine_.links) out += drawn(link);
        for (std::size_t i = 0; i < boxes_.size(); ++i) out += drawn(machine_.parts[i], boxes_[i]);
        if (has_possible()) {
            out += fmt::format("<text class=\"dim\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", margin,
                               height_ - margin + 6, legend);
        }
        return out + "</svg>\n";
    }

 private:
    static const char* heading(Part::Kind kind) {
        constexpr std::array<const char*, 6> words = {"host bridges", "cards",       "windows",
                                                      "regions",      "dax devices", "nodes"};
        return words.at(static_cast<std::size_t>(kind));
    }

    static Box sized(const Part& part) {
        Box box;
        std::size_t letters = width(escape(part.title)) + 2;
        for (const Detail& detail : part.details) {
            if (detail.text.empty()) continue;
            for (std::string& line : folded(escape(detail.text))) {
                letters = std::max(letters, width(line));
                box.lines.emplace_back(std::move(line), detail.colour);
            }
        }
        box.w = static_cast<double>(letters) * letter + 2 * padding;
        box.h = static_cast<double>(box.lines.size() + 1) * line_height + 2 * padding - 4;
        return box;
    }

    [[nodiscard]] bool has_possible() const {
        return std::any_of(machine_.links.begin(), machine_.links.end(),
                           [](const Link& link) { return link.possible_only; });
    }

    // Columns by kind; in each a box stands as near as it can to what leads to it.
    void place() {
        double x = margin;
        height_ = margin + head;
        for (int kind = 0; kind < 6; ++kind) x = place_column(static_cast<Part::Kind>(kind), x);
        width_ = std::max(x - column_gap + margin, 360.0);
        if (has_possible()) {
            height_ += line_height + row_gap;
            width_ = std::max(width_, static_cast<double>(legend.size()) * letter + 2 * margin);
        }
        height_ += margin;
    }

    double place_column(Part::Kind kind, double x) {
        std::vector<std::pair<double, std::size_t>> order;
        double widest = 0;
        for (std::size_t i = 0; i < boxes_.size(); ++i) {
            if (machine_.parts[i].kind != kind) continue;
            order.emplace_back(wanted(i), i);
            widest = std::max(widest, boxes_[i].w);
        }
        if (order.empty()) return x;
        std::stable_sort(order.begin(), order.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        double y = margin + head;
        for (const auto& [middle, i] : order) {
            Box& box = boxes_[i];
            box.x = x;
            box.w = widest;
            box.y = std::max(y, middle - box.h / 2);
            y = box.y + box.h + row_gap;
        }
        height_ = std::max(height_, y - row_gap);
        columns_.emplace_back(kind, x);
        return x + widest + column_gap;
    }

    // The middle of what leads to it; what nothing leads to stays at the top.
    [[nodiscard]] double wanted(std::size_t part) const {
        double sum = 0;
        double count = 0;
        for (const bool possible_only : {false, true}) {
            for (const Link& link : machine_.links) {
                if (link.to != part || link.possible_only != possible_only) continue;
                sum += boxes_[link.from].middle();
                count += 1;
            }
            if (count > 0) return sum / count;
        }
        return 0;
    }

    [[nodiscard]] std::string drawn(const Link& link) const {
        const Box& a = boxes_[link.from];
        const Box& b = boxes_[link.to];
        const double x1 = a.x + a.w;
        const double bend = (b.x - x1) / 2;
        return fmt::format(
            "<path class=\"link{}\" d=\"M{:.1f} {:.1f} C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}\"/>\n",
            link.possible_only ? " possible" : "", x1, a.middle(), x1 + bend, a.middle(), b.x - bend,
            b.middle(), b.x, b.middle());
    }

    static std::string drawn(const Part& part, const Box& box) {
        std::string out = fmt::format(
            "<rect class=\"box\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"5\"/>\n",
            box.x, box.y, box.w, box.h);
        double y = box.y + padding + 10;
        out += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", box.x + padding, y,
                           xml(part.title));
        for (const auto& [line, colour] : box.lines) {
            y += line_height;
            out += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", class_of(colour),
                               box.x + padding, y, xml(line));
        }
        return out;
    }

    const Machine& machine_;
    std::vector<Box> boxes_;  // as machine_.parts
    std::vector<std::pair<Part::Kind, double>> columns_;
    double width_ = 0;
    double height_ = 0;
};

}  // namespace

std::string topology_svg(const Machine& machine) {
    return Page(machine).svg();
}

}  // namespace cxlmemctl
