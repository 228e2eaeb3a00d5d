// SPDX-License-Identifier: LGPL-2.1-or-later
// What a command takes, as it tells the parser: names, and options that are read into Args at once, so that a
// wrong one is a usage error with the option's name.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/args.h"

namespace cxlmemctl {

class OptionSet final {
 public:
    OptionSet(CLI::App& app, Args& args) : app_(app), args_(args) {}

    [[nodiscard]] CLI::App& app() { return app_; }
    [[nodiscard]] Args& args() { return args_; }

    // One or more objects; exactly one.
    void names(const char* text, const char* type = "NAME");
    void one_name(const char* text = "dax0.0");

    CLI::Option* flag(const char* name, bool& target, const char* text);
    CLI::Option* text(const char* name, std::string& target, const char* type, const char* text);
    CLI::Option* one_of(const char* name, std::string& target, const char* type,
                        const std::vector<std::string>& words, const char* text);

    // `parse` is one of units.h, Result<T>(string); the last one given counts.
    template <class T, class Read>
    CLI::Option* read(const char* name, T& target, const char* type, Read parse, const char* text) {
        return app_
            .add_option_function<std::string>(
                name,
                [name, &target, parse](const std::string& word) {
                    auto value = parse(word);
                    if (!value) throw CLI::ValidationError(name, value.error().message);
                    target = *std::move(value);
                },
                text)
            ->type_name(type)
            ->take_last();
    }

    // --timeout; with --rollback; with --no-hold, too.
    void timeout();
    void limits();
    void work();

 private:
    CLI::App& app_;
    Args& args_;
};

}  // namespace cxlmemctl
