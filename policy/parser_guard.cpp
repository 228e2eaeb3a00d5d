#include "policy/parser_guard.h"

#include <fmt/format.h>

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
                skip_string(c);
            } else if (static_cast<unsigned char>(c) >= 0x80) {
                return Refusal{position(), not_ascii()};
            } else {
                count(c);
                if (brackets_ > max_depth || dots_ >= max_depth) {
                    return Refusal{position(), fmt::format("nested deeper than {} levels", max_depth)};
                }
                ++at_;
            }
        }
        return std::nullopt;
    }

 private:
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

    void skip_comment() {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    }

    [[nodiscard]] bool three_at(char quote) const {
        return at_ + 2 < text_.size() && text_[at_] == quote && text_[at_ + 1] == quote &&
               text_[at_ + 2] == quote;
    }

    void skip_string(char quote) {
        const bool multi_line = three_at(quote);
        at_ += multi_line ? 3 : 1;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\\' && quote == '"') {
                at_ += 2;
            } else if (c == '\n' && !multi_line) {
                return;  // a mistake: the parser stops here
            } else if (multi_line ? three_at(quote) : c == quote) {
                at_ += multi_line ? 3 : 1;
                // Up to two more quotes belong to the text of a multi-line string.
                for (int i = 0; multi_line && i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
                return;
            } else {
                ++at_;
            }
        }
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
};

}  // namespace

std::optional<Refusal> refusal_of(std::string_view text) {
    return Scanner{text}.run();
}

}  // namespace cxlmemd::syntax
