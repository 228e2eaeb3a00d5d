// SPDX-License-Identifier: LGPL-2.1-or-later
// The one file that includes toml++ for the policy.
#include "policy/syntax.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <exception>
#include <utility>

#include "policy/parser_guard.h"
#include "policy/report.h"
#include "policy/syntax_hint.h"
#include "policy/text.h"

namespace cxlmemd::syntax {

namespace {

Position position_of(const toml::source_position& at) {
    return Position{at.line, at.column};
}
Position position_of(const toml::source_region& region) {
    return position_of(region.begin);
}

class Converter final {
 public:
    explicit Converter(Report& report) : report_(report) {}

    Table table(const toml::table& from) {
        Table out;
        out.entries.reserve(from.size());
        for (const auto& [key, node] : from) {
            if (key.str().size() > max_string_bytes) {
                report_.error(position_of(key.source()), too_long("this key", key.str().size()));
                continue;
            }
            out.entries.push_back(Entry{std::string{key.str()}, position_of(key.source()), value(node)});
        }
        // toml++ keeps tables sorted by key.
        std::ranges::sort(out.entries, {}, [](const Entry& entry) {
            return std::pair{entry.at.line, entry.at.column};
        });
        return out;
    }

 private:
    static std::string too_long(std::string_view what, std::size_t bytes) {
        return fmt::format("{} is {} bytes long; {} is the limit", what, bytes, max_string_bytes);
    }

    Value value(const toml::node& node) {
        Value out{position_of(node.source()), Refused{}};
        if (const auto* t = node.as_table()) {
            out.data = table(*t);
        } else if (const auto* a = node.as_array()) {
            list(*a, out);
        } else if (const auto* s = node.as_string()) {
            if (s->get().size() > max_string_bytes) {
                report_.error(out.at, too_long("this string", s->get().size()));
            } else {
                out.data = s->get();
            }
        } else if (const auto* i = node.as_integer()) {
            out.data = i->get();
        } else if (const auto* f = node.as_floating_point()) {
            out.data = f->get();
        } else if (const auto* b = node.as_boolean()) {
            out.data = b->get();
        } else {
            out.data = DateOrTime{};
        }
        return out;
    }

    void list(const toml::array& from, Value& out) {
        // Lists of tables are rules, which have a limit of their own.
        if (from.size() > max_list_entries && !from[0].is_table()) {
            report_.error(out.at, fmt::format("this list has {} entries; {} is the limit", from.size(),
                                              max_list_entries));
            return;
        }
        List entries;
        entries.reserve(from.size());
        for (const toml::node& entry : from) entries.push_back(value(entry));
        out.data = std::move(entries);
    }

    Report& report_;
};

}  // namespace

std::string_view type_name(const Value& value) {
    struct Name {
        std::string_view operator()(const Refused&) const { return "a refused value"; }
        std::string_view operator()(bool) const { return "a boolean"; }
        std::string_view operator()(std::int64_t) const { return "an integer"; }
        std::string_view operator()(double) const { return "a float"; }
        std::string_view operator()(const std::string&) const { return "a string"; }
        std::string_view operator()(const DateOrTime&) const { return "a date or time"; }
        std::string_view operator()(const List&) const { return "a list"; }
        std::string_view operator()(const Table&) const { return "a table"; }
    };
    return std::visit(Name{}, value.data);
}

std::optional<Table> parse(std::string_view text, Report& report) {
    if (text.size() > max_file_bytes) {
        report.error({}, fmt::format("the file is {} bytes long; {} (1 MiB) is the limit", text.size(),
                                     max_file_bytes));
        return std::nullopt;
    }
    if (const auto refusal = refusal_of(text)) {
        report.error(refusal->at, refusal->message);
        return std::nullopt;
    }
    try {
        const toml::table root = toml::parse(text);
        return Converter{report}.table(root);
    } catch (const toml::parse_error& mistake) {
        const Position at = position_of(mistake.source());
        report.error(at, explain_mistake(text, at, mistake.description()));
    } catch (const std::exception& bug) {  // out of memory, or toml++ at its wits' end
        report.error({}, "the TOML parser gave up: " + visible(bug.what()));
    }
    return std::nullopt;
}

}  // namespace cxlmemd::syntax
