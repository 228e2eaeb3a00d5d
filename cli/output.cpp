#include "cli/output.h"

#include <fmt/format.h>
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
      paint_(!json && colour_wanted() && is_capable_terminal(STDOUT_FILENO)),
      error_paint_(colour_wanted() && is_capable_terminal(STDERR_FILENO)),
      interactive_(!json && is_capable_terminal(STDERR_FILENO)) {}

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
