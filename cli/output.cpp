// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace cxlmemctl {
namespace {

// https://no-color.org: present and not empty.
bool colour_wanted() {
    const char* no_color = std::getenv("NO_COLOR");
    return no_color == nullptr || *no_color == '\0';
}

// A terminal that can move its cursor and colour its text.
bool is_capable_terminal(int fd) {
    const char* term = std::getenv("TERM");
    return term != nullptr && std::string_view(term) != "dumb" && isatty(fd) == 1;
}

}  // namespace

Output::Output(bool json)
    : json_(json),
      paint_(!json && colour_wanted() && is_capable_terminal(STDOUT_FILENO),
             isatty(STDOUT_FILENO) == 1 ? columns() : 0),
      error_paint_(colour_wanted() && is_capable_terminal(STDERR_FILENO)),
      interactive_(!json && is_capable_terminal(STDERR_FILENO)) {}

std::size_t Output::columns() {
    winsize size{};
    constexpr std::size_t usual = 80;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ? usual : size.ws_col;
}

bool Output::is_unicode() {
    // As setlocale(3) looks for the character set.
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        const std::string_view locale = value;
        return locale.find("UTF-8") != std::string_view::npos ||
               locale.find("utf8") != std::string_view::npos;
    }
    return false;
}

void Output::text(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void Output::document(const nlohmann::json& value, bool compact) {
    text(value.dump(compact ? -1 : 2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n");
}

void Output::error(std::string_view message) {
    std::fflush(stdout);
    const std::string line = error_paint_(Colour::red, "cxlmemctl: " + escape(message)) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

bool Output::flush() {
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

}  // namespace cxlmemctl
