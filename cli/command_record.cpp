// SPDX-License-Identifier: LGPL-2.1-or-later
#include <map>
#include <string>

#include "cli/commands.h"
#include "cli/text.h"
#include "cli/times.h"

namespace cxlmemctl {

namespace {

// The file as it came, if it is one: nothing in it needs an escape then.
std::string escaped_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        out += escape(text.substr(0, end));
        if (end == std::string_view::npos) break;
        out += '\n';
        text.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace

Result<Exit> record(const Args& args, Client& client, Output& out) {
    std::map<std::string, sdbus::Variant> options;
    if (args.since_usec) options.emplace("since_usec", sdbus::Variant{*args.since_usec});
    if (args.anonymise) options.emplace("anonymise", sdbus::Variant{true});
    // With its addresses the record is for root, and for whom polkit allows it.
    if (!args.anonymise) client.prepare_to_change();
    const std::string topology = client.manager().Record(options);
    if (out.json()) {
        out.document({{"topology", topology}});
    } else {
        out.text(escaped_lines(topology));
    }
    return Exit::done;
}

void record_options(OptionSet& set) {
    const auto parse = [](const std::string& text) { return parse_time(text, realtime_usec()); };
    set.read("--since", set.args().since_usec, "TIME", parse,
             "What has happened since, as a scenario: \"1 hour ago\", \"14:30\", \"2026-11-28 14:30\"");
    set.flag("--anonymise", set.args().anonymise, "Make serial numbers and physical addresses up");
}

}  // namespace cxlmemctl
