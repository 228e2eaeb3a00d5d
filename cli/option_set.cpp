// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/option_set.h"

#include "cli/units.h"

namespace cxlmemctl {

void OptionSet::names(const char* text, const char* type) {
    app_.add_option("names", args_.names, text)->required()->type_name(type);
}

void OptionSet::one_name(const char* text) {
    app_.add_option_function<std::string>(
            "name", [&args = args_](const std::string& word) { args.names = {word}; }, text)
        ->required()
        ->type_name("NAME");
}

CLI::Option* OptionSet::flag(const char* name, bool& target, const char* text) {
    return app_.add_flag(name, target, text);
}

CLI::Option* OptionSet::text(const char* name, std::string& target, const char* type, const char* text) {
    return app_.add_option(name, target, text)->type_name(type);
}

CLI::Option* OptionSet::one_of(const char* name, std::string& target, const char* type,
                               const std::vector<std::string>& words, const char* text) {
    return app_.add_option(name, target, text)->check(CLI::IsMember(words))->type_name(type);
}

void OptionSet::timeout() {
    read("--timeout", args_.timeout_usec, "TIME", parse_usec, "Give up after this time, as in 90s or 5min");
}

void OptionSet::limits() {
    timeout();
    app_.add_flag_function(
        "--rollback,!--no-rollback", [&args = args_](std::int64_t count) { args.rollback = count > 0; },
        "Put back what was done if it fails");
}

void OptionSet::work() {
    limits();
    app_.add_flag_function(
        "--no-hold", [&args = args_](std::int64_t /*count*/) { args.hold = false; },
        "Policy may change it again at once");
}

}  // namespace cxlmemctl
