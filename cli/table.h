// SPDX-License-Identifier: LGPL-2.1-or-later
// Columns that line up.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cxlmemctl {

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
};

// Rows of cells, already escaped and coloured. A column in which every cell is empty is left out.
class Table final {
 public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Missing cells are empty, surplus ones are dropped.
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }

    // Lines with a final newline each, no blanks at their ends. Without titles: rows alone. If `columns` are
    // not enough (0: as many as it takes), the widest cells that stand to the left are folded at blanks,
    // commas and slashes, and if that is not enough, the last columns go below the others.
    [[nodiscard]] std::string text(bool titles = true, std::size_t columns = 0) const;

 private:
    [[nodiscard]] std::vector<std::size_t> widths(bool titles, std::size_t columns) const;
    template <class CellAt>
    void append_lines(std::string& out, std::string_view before, std::size_t begin, std::size_t end,
                      const CellAt& cell_at, const std::vector<std::size_t>& wide) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace cxlmemctl
