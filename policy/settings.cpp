// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/settings.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <exception>

#include "policy/fields.h"
#include "policy/report.h"
#include "policy/schema.h"
#include "policy/syntax.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::array auto_online_words{Word<AutoOnlineHandling>{"manage", AutoOnlineHandling::manage},
                                       Word<AutoOnlineHandling>{"leave", AutoOnlineHandling::leave}};
constexpr std::array demotion_words{Word<DemotionWish>{"on", DemotionWish::on},
                                    Word<DemotionWish>{"off", DemotionWish::off},
                                    Word<DemotionWish>{"leave", DemotionWish::leave}};
constexpr std::array level_words{
    Word<LogLevel>{"error", LogLevel::error}, Word<LogLevel>{"warning", LogLevel::warning},
    Word<LogLevel>{"notice", LogLevel::notice}, Word<LogLevel>{"info", LogLevel::info},
    Word<LogLevel>{"debug", LogLevel::debug}};

// Below this a retry is a busy loop; the kernel's own back-off in memory hotplug is of this order.
constexpr std::uint64_t min_pause_usec = 1'000;
constexpr std::int64_t max_attempts = 1000;

template <class T, std::size_t N>
auto word_of(std::string_view key, const std::array<Word<T>, N>& words) {
    return one_word(key, std::span<const Word<T>>{words});
}

Parsed<std::optional<double>> ratio(const syntax::Value& value) {
    double out = 0;
    if (const auto* whole = value.as<std::int64_t>()) {
        out = static_cast<double>(*whole);
    } else if (const auto* number = value.as<double>()) {
        out = *number;
    } else {
        return tl::unexpected{
            wrong_type("max_movable_ratio", "a number such as 3.0, movable for each 1 of kernel", value)};
    }
    if (!std::isfinite(out) || out <= 0) {
        return tl::unexpected{
            std::string{"max_movable_ratio is a number above 0; leave it out for no limit"}};
    }
    return std::optional{out};
}

Parsed<std::uint64_t> pause(std::string_view text) {
    auto usec = parse_duration_usec(text);
    if (usec && *usec < min_pause_usec) {
        return tl::unexpected{in_quotes(text) + " is too short a pause; 1ms is the least"};
    }
    return usec;
}

void check_retry(const Fields& fields, RetrySettings& retry) {
    const std::size_t errors_before = fields.report().errors();
    fields.read("initial", retry.initial_usec,
                from_text("initial", R"(a time with its unit, such as "1s")", pause));
    fields.read("max", retry.max_usec, from_text("max", R"(a time with its unit, such as "60s")", pause));
    if (fields.report().errors() == errors_before && retry.max_usec < retry.initial_usec) {
        const syntax::Entry* initial = fields.find("initial");
        const syntax::Entry* max = fields.find("max");
        fields.report().error(
            (max != nullptr ? max : initial)->value.at,
            fmt::format("max ({}ms{}) is shorter than initial ({}ms{})", retry.max_usec / 1000,
                        max == nullptr ? ", the default" : "", retry.initial_usec / 1000,
                        initial == nullptr ? ", the default" : ""));
    }
    fields.read("attempts", retry.attempts, [](const syntax::Value& value) {
        return integer_between("attempts", 0, max_attempts, value).map([](std::int64_t n) {
            return static_cast<std::uint32_t>(n);
        });
    });
}

void check_settings(const Fields& fields, Settings& out) {
    fields.read("auto_online", out.auto_online, word_of("auto_online", auto_online_words));
    const auto auto_reload = [](const syntax::Value& value) { return boolean("auto_reload", value); };
    fields.read("auto_reload", out.auto_reload, auto_reload);
    fields.read("max_movable_ratio", out.max_movable_ratio, ratio);
    fields.read("demotion", out.demotion, word_of("demotion", demotion_words));
    if (const auto retry = fields.table("retry", schema::settings_retry)) check_retry(*retry, out.retry);
    if (const auto log = fields.table("log", schema::settings_log)) {
        log->read("level", out.log_level, word_of("level", level_words));
    }
}

}  // namespace

CompiledSettings compile_settings(const SourceFile& file) {
    try {
        Report report{file.name};
        CompiledSettings out;
        if (const auto root = syntax::parse(file.text, report)) {
            check_settings(Fields{report, schema::settings_file, *root, {}}, out.settings);
        }
        out.problems = report.take();
        return out;
    } catch (const std::exception& bug) {  // out of memory, or a bug of ours
        return {{},
                {Problem{{file.name, 0, 0},
                         Severity::error,
                         std::string{"the settings compiler failed: "} + bug.what()}}};
    }
}

}  // namespace cxlmemd
