// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/parser_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "policy/text.h"

namespace cxlmemd::syntax {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

class Scanner final {
 public:
    explicit Scanner(std::string_view text) : text_(text) {
        if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
    }

    std::optional<Refusal> run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '#') {
                skip_comment();
            } else if (c == '"' || c == '\'') {
                if (in_word_) return Refusal{position(), in_a_word()};
                if (auto refusal = skip_string(c)) return refusal;
                in_word_ = true;  // another quote right behind it starts no string
            } else if (beyond_ascii(c)) {
                return Refusal{position(), not_ascii()};
            } else {
                count(c);
                note(c);
                if (brackets_ > max_depth || dots_ >= max_depth) {
                    return Refusal{position(), fmt::format("nested deeper than {} levels", max_depth)};
                }
                ++at_;
            }
        }
        return std::nullopt;
    }

 private:
    static bool beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

    void count(char c) {
        switch (c) {
            case '.': ++dots_; return;
            case '[':
            case '{': ++brackets_; break;
            case ']':
            case '}':
                if (brackets_ > 0) --brackets_;
                break;
            case '\n':
            case ',':
            case '=': break;
            default: return;
        }
        dots_ = 0;
    }

    // Follows whether c stands inside a bare key or a bare value. The parser reads those to their end,
    // whatever it meets on the way: a quote in there starts no string.
    void note(char c) {
        switch (c) {
            case ' ':
            case '\t':
            case '\r': in_word_ = false; return;
            case '\n':
                in_word_ = false;
                if (open_.empty()) in_value_ = false;
                return;
            case ',':
                in_word_ = false;
                if (!open_.empty()) in_value_ = open_.back() != '{';
                return;
            case ']':
            case '}':
                in_word_ = false;
                if (!open_.empty()) open_.pop_back();
                return;
            default: break;
        }
        if (in_value_ && in_word_) return;
        switch (c) {
            case '=':
                in_word_ = false;
                in_value_ = true;
                return;
            case '[':
                if (in_value_) open_.push_back(c);  // else a table's header
                return;
            case '{':
                open_.push_back(c);
                in_value_ = false;
                return;
            case '.': in_word_ = in_value_; return;  // else between the parts of a key
            default: in_word_ = true;
        }
    }

    void skip_comment() {
        in_word_ = false;
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    }

    [[nodiscard]] bool three_at(char quote) const {
        return at_ + 2 < text_.size() && text_[at_] == quote && text_[at_ + 1] == quote &&
               text_[at_ + 2] == quote;
    }

    std::optional<Refusal> skip_string(char quote) {
        const bool multi_line = three_at(quote);
        at_ += multi_line ? 3 : 1;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\\' && quote == '"') {
                if (auto refusal = skip_escape(multi_line)) return refusal;
            } else if (c == '\n' && !multi_line) {
                return std::nullopt;  // a mistake: the parser stops here
            } else if (multi_line ? three_at(quote) : c == quote) {
                at_ += multi_line ? 3 : 1;
                // Up to two more quotes belong to the text of a multi-line string.
                for (int i = 0; multi_line && i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
                return std::nullopt;
            } else {
                ++at_;
            }
        }
        return std::nullopt;
    }

    // A backslash and what it escapes; in a multi-line string that may be the end of the line and the
    // blanks behind it, after which the parser asks of the next character whether it is one more blank.
    std::optional<Refusal> skip_escape(bool multi_line) {
        ++at_;
        const std::size_t behind = at_;
        if (multi_line) {
            while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
            if (at_ < text_.size() && beyond_ascii(text_[at_])) {
                return Refusal{position(), fmt::format("behind a \\ the text cannot go on with {}",
                                                       in_quotes(character()))};
            }
        }
        if (at_ == behind) ++at_;
        return std::nullopt;
    }

    static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

    [[nodiscard]] std::string in_a_word() const {
        return fmt::format("a quote ({}) cannot stand right behind {}", text_[at_],
                           in_quotes(text_.substr(at_ - 1, 1)));
    }

    // What stands here, as far as it is UTF-8.
    [[nodiscard]] std::string_view character() const {
        return text_.substr(at_, std::max<std::size_t>(utf8_length(text_, at_), 1));
    }

    [[nodiscard]] std::string not_ascii() const {
        const std::size_t length = utf8_length(text_, at_);
        if (length == 0) return "this is not UTF-8; TOML files are";
        const std::string_view character = text_.substr(at_, length);
        // What word processors and web pages make of quotes.
        for (const std::string_view quote :
             {"\u201c", "\u201d", "\u201e", "\u00ab", "\u00bb", "\u2018", "\u2019"}) {
            if (character == quote) return in_quotes(character) + " is no quote in TOML; write \"";
        }
        if (character == "\u00a0") return "this blank is a no-break space (U+00A0); write a plain one";
        return in_quotes(character) + " stands in quotes in TOML, in keys and in values";
    }

    [[nodiscard]] Position position() const {
        Position out{1, 1};
        for (const char c : text_.substr(0, at_)) {
            if (c == '\n') {
                ++out.line;
                out.column = 1;
            } else if (!is_utf8_continuation(c)) {
                ++out.column;
            }
        }
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t brackets_ = 0;
    std::size_t dots_ = 0;
    bool in_word_ = false;
    bool in_value_ = false;
    std::vector<char> open_;  // the brackets of values that are not closed yet; bounded by max_depth
};

}  // namespace

std::optional<Refusal> refusal_of(std::string_view text) {
    return Scanner{text}.run();
}

}  // namespace cxlmemd::syntax
