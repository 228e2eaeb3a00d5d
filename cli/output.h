// SPDX-License-Identifier: LGPL-2.1-or-later
// Where everything is printed: text or JSON on standard output, errors on standard error.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/text.h"

namespace cxlmemctl {

class Output final {
 public:
    explicit Output(bool json);

    [[nodiscard]] bool json() const { return json_; }
    [[nodiscard]] const Paint& paint() const { return paint_; }
    // A bar may be drawn: standard error is a terminal and text is wanted.
    [[nodiscard]] bool interactive() const { return interactive_; }

    // Of the terminal on standard output; 80 if it is none.
    [[nodiscard]] static std::size_t columns();
    // The locale has more than ASCII, as UTF-8.
    [[nodiscard]] static bool is_unicode();

    // Text that is already escaped.
    void text(std::string_view text);
    // One JSON document; a line of its own if `compact`. Pure ASCII, so nothing in it can hurt.
    void document(const nlohmann::json& value, bool compact = false);
    // "cxlmemctl: message" on standard error; escapes.
    void error(std::string_view message);
    // False if anything could not be written.
    [[nodiscard]] bool flush();

 private:
    bool json_;
    Paint paint_;
    Paint error_paint_;
    bool interactive_;
};

}  // namespace cxlmemctl
