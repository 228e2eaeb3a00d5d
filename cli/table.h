// SPDX-License-Identifier: LGPL-2.1-or-later
// Columns that line up.
#pragma once

#include <string>
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

    // Lines with a final newline each, no blanks at their ends. Without titles: rows alone.
    [[nodiscard]] std::string text(bool titles = true) const;

 private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace cxlmemctl
