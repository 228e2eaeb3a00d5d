// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.h"

#include <algorithm>

#include "cli/text.h"

namespace cxlmemctl {
namespace {

constexpr std::string_view gap = "  ";

void append_line(std::string& out, std::string line) {
    while (line.ends_with(' ')) line.pop_back();
    out += line;
    out += '\n';
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::text(bool titles) const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    const std::vector<std::size_t> used = widths;
    if (titles) {
        for (std::size_t i = 0; i < widths.size(); ++i)
            widths[i] = std::max(widths[i], width(columns_[i].title));
    }

    std::string out;
    const auto line_of = [&](const auto& cell_at) {
        std::string line;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (used[i] == 0) continue;
            const std::string& cell = cell_at(i);
            const std::string pad(widths[i] - width(cell), ' ');
            line += columns_[i].align == Align::right ? pad + cell : cell + pad;
            line += gap;
        }
        append_line(out, std::move(line));
    };
    if (titles) line_of([&](std::size_t i) -> const std::string& { return columns_[i].title; });
    for (const auto& row : rows_) line_of([&](std::size_t i) -> const std::string& { return row[i]; });
    return out;
}

}  // namespace cxlmemctl
