// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/check_rule.h"

#include <fmt/format.h>

#include <array>

#include "policy/check_match.h"
#include "policy/fields.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::array modes{
    Word<ModeWish>{"system-ram", ModeWish::system_ram}, Word<ModeWish>{"devdax", ModeWish::devdax},
    Word<ModeWish>{"famfs", ModeWish::famfs}, Word<ModeWish>{"ignore", ModeWish::ignore}};
constexpr std::array zones{Word<ZoneWish>{"movable", ZoneWish::movable},
                           Word<ZoneWish>{"kernel", ZoneWish::kernel},
                           Word<ZoneWish>{"auto", ZoneWish::automatic}};
constexpr std::array conflicts{Word<OnConflict>{"rezone", OnConflict::rezone},
                               Word<OnConflict>{"keep", OnConflict::keep}};
constexpr std::array drifts{Word<Drift>{"report", Drift::report}, Word<Drift>{"enforce", Drift::enforce}};
constexpr std::array ways_online{Word<OnlineBy>{"blocks", OnlineBy::blocks},
                                 Word<OnlineBy>{"state", OnlineBy::state}};

constexpr std::int64_t max_retries = 1000;

template <class T, std::size_t N>
auto word_of(std::string_view key, const std::array<Word<T>, N>& words) {
    return one_word(key, std::span<const Word<T>>{words});
}

Parsed<std::string> description_text(std::string_view text) {
    if (!has_control_character(text, LineBreaks::allowed)) return std::string{text};
    return tl::unexpected{std::string{"description has a control character in it"}};
}

void check_mode_allows(const Fields& fields, ModeWish mode) {
    if (mode == ModeWish::system_ram) return;
    for (const std::string_view key : {"zone", "amount", "on_conflict", "online_by"}) {
        if (const syntax::Entry* entry = fields.find(key)) {
            fields.report().error(entry->at,
                                  fmt::format("{} goes with mode = \"system-ram\" only, not with \"{}\"", key,
                                              to_string(mode)));
        }
    }
    if (mode != ModeWish::ignore) return;
    for (const std::string_view key : {"require_node", "drift"}) {
        if (const syntax::Entry* entry = fields.find(key)) {
            fields.report().warning(entry->at, fmt::format("{} does nothing with mode = \"ignore\"", key));
        }
    }
}

void check_online_by(Report& report, const syntax::Entry& entry, const Goal& goal) {
    const auto* percent = std::get_if<AmountPercent>(&goal.amount);
    if (goal.online_by != OnlineBy::state || percent == nullptr || percent->percent >= 100) return;
    report.warning(entry.at,
                   fmt::format("online_by = \"state\" takes whole devices: with amount = \"{}\" memory "
                               "goes block by block",
                               to_string(goal.amount)));
}

void check_memory(const Fields& fields, Goal& goal) {
    Report& report = fields.report();
    if (fields.empty()) {
        report.error(
            fields.at(),
            "[rule.memory] is empty; write mode = \"system-ram\", \"devdax\", \"famfs\" or \"ignore\"");
        return;
    }
    const std::size_t errors_before = report.errors();
    fields.read("mode", goal.mode, word_of("mode", modes));
    const bool mode_is_known = report.errors() == errors_before;
    fields.read("zone", goal.zone, word_of("zone", zones));
    fields.read("amount", goal.amount,
                from_text("amount", R"("all", "none", a percentage such as "75%" or a size such as "96GiB")",
                          parse_amount));
    fields.read_list("require_node", goal.require_node,
                     [](const syntax::Value& value) { return node_id("require_node", value); });
    fields.read("on_conflict", goal.on_conflict, word_of("on_conflict", conflicts));
    fields.read("drift", goal.drift, word_of("drift", drifts));
    fields.read("online_by", goal.online_by, word_of("online_by", ways_online));
    if (const syntax::Entry* entry = fields.find("online_by"); entry != nullptr)
        check_online_by(report, *entry, goal);
    if (mode_is_known) check_mode_allows(fields, goal.mode);
}

// A drain without a limit is "0s" or, as in systemd, "infinity".
Parsed<std::uint64_t> drain_timeout(std::string_view text) {
    if (text == "infinity") return 0;
    return parse_duration_usec(text);
}

void check_drain(const Fields& fields, DrainSettings& drain) {
    fields.read("timeout", drain.timeout_usec,
                from_text("timeout", R"(a time with its unit, such as "60s")", drain_timeout));
    fields.read("retries", drain.retries, [](const syntax::Value& value) {
        return integer_between("retries", 0, max_retries, value).map([](std::int64_t n) {
            return static_cast<std::uint32_t>(n);
        });
    });
    fields.read("rollback", drain.rollback,
                [](const syntax::Value& value) { return boolean("rollback", value); });
}

}  // namespace

CheckedRule check_rule(Report& report, const syntax::Table& table, syntax::Position at) {
    const std::size_t errors_before = report.errors();
    const Fields fields{report, schema::rule, table, at};
    CheckedRule out;
    out.rule.place = report.place(at);
    out.name_at = at;

    if (const syntax::Entry* name = fields.find("name")) {
        out.name_at = name->value.at;
        fields.read("name", out.rule.name,
                    [](const syntax::Value& value) { return name_text("name", value); });
    } else {
        report.error(at, "this rule has no name; add name = \"...\"");
    }
    fields.read("description", out.rule.description, from_text("description", "a string", description_text));
    if (const auto match = fields.table("match", schema::rule_match)) out.rule.match = check_match(*match);
    if (fields.find("memory") == nullptr) {
        const std::string who = out.rule.name.empty() ? "this rule" : "rule " + in_quotes(out.rule.name);
        report.error(at, who + " does nothing; add [rule.memory] (mode = \"ignore\" leaves a device alone)");
    } else if (const auto memory = fields.table("memory", schema::rule_memory)) {
        check_memory(*memory, out.rule.goal);
    }
    if (const auto drain = fields.table("drain", schema::rule_drain))
        check_drain(*drain, out.rule.goal.drain);

    out.sound = report.errors() == errors_before;
    return out;
}

}  // namespace cxlmemd
