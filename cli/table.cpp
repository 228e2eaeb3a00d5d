// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.h"

#include <algorithm>

#include "cli/text.h"

namespace cxlmemctl {
namespace {

constexpr std::string_view gap = "  ";
constexpr std::string_view indent = "    ";

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

// 0 for a column that is left out.
std::vector<std::size_t> Table::widths(bool titles, std::size_t columns) const {
    std::vector<std::size_t> out(columns_.size(), 0);
    std::vector<std::size_t> least(columns_.size(), 0);  // without breaking a word
    const auto look_at = [&](std::size_t i, const std::string& cell) {
        out[i] = std::max(out[i], width(cell));
        least[i] = std::max(least[i], columns_[i].align == Align::left ? longest_word(cell) : width(cell));
    };
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) look_at(i, row[i]);
    }
    std::size_t total = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i] == 0) continue;
        if (titles) look_at(i, columns_[i].title);
        total += out[i] + gap.size();
    }
    if (columns == 0 || total == 0) return out;
    for (total -= gap.size(); total > columns; --total) {
        std::size_t widest = out.size();
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (out[i] > least[i] && (widest == out.size() || out[i] > out[widest])) widest = i;
        }
        if (widest == out.size()) break;
        --out[widest];
    }
    const std::size_t most = columns > indent.size() ? columns - indent.size() : 1;
    for (std::size_t& one : out) one = std::min(one, most);
    return out;
}

template <class CellAt>
void Table::append_lines(std::string& out, std::string_view before, std::size_t begin, std::size_t end,
                         const CellAt& cell_at, const std::vector<std::size_t>& wide) const {
    std::vector<std::vector<std::string>> cells(end);
    std::size_t height = 0;
    for (std::size_t i = begin; i < end; ++i) {
        if (wide[i] == 0) continue;
        const std::string& cell = cell_at(i);
        cells[i] = width(cell) <= wide[i] ? std::vector<std::string>{cell} : fold(cell, wide[i]);
        height = std::max(height, cells[i].size());
    }
    for (std::size_t at = 0; at < height; ++at) {
        std::string line{before};
        for (std::size_t i = begin; i < end; ++i) {
            if (wide[i] == 0) continue;
            const std::string part = at < cells[i].size() ? cells[i][at] : std::string{};
            const std::string pad(wide[i] - width(part), ' ');
            line += columns_[i].align == Align::right ? pad + part : part + pad;
            line += gap;
        }
        append_line(out, std::move(line));
    }
}

std::string Table::text(bool titles, std::size_t columns) const {
    const std::vector<std::size_t> wide = widths(titles, columns);
    std::string out;
    const auto row_of = [&](const auto& cell_at) {
        std::size_t begin = 0;
        while (begin < wide.size()) {
            // What does not fit beside the rest goes into further lines below.
            std::size_t used = begin == 0 ? 0 : indent.size();
            std::size_t end = begin;
            for (; end < wide.size(); ++end) {
                if (wide[end] == 0) continue;
                if (columns != 0 && end > begin && used + wide[end] > columns) break;
                used += wide[end] + gap.size();
            }
            append_lines(out, begin == 0 ? "" : indent, begin, end, cell_at, wide);
            begin = end;
        }
    };
    if (titles) row_of([&](std::size_t i) -> const std::string& { return columns_[i].title; });
    for (const auto& row : rows_) row_of([&](std::size_t i) -> const std::string& { return row[i]; });
    return out;
}

}  // namespace cxlmemctl
