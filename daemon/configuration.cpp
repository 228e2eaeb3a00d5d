// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/configuration.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cxlmemd {

namespace {

struct ReadConfig {
    ConfigText text;
    std::vector<PolicyFile> origins;
    std::set<std::string> closed;
};

ReadConfig read_config(const ConfigPaths& paths) {
    ReadConfig out;
    if (auto settings = read_settings_source(paths)) {
        if (*settings && !is_open_to_all((*settings)->name)) out.closed.insert((*settings)->name);
        out.text.settings = std::move(*settings);
    } else {
        out.text.settings_unreadable = true;
        out.text.unreadable.push_back(settings.error());
    }
    PolicyFiles policy = read_policy_files(paths);
    out.text.policy = std::move(policy.files);
    std::ranges::move(policy.problems, std::back_inserter(out.text.unreadable));
    out.origins = std::move(policy.origins);
    out.closed.merge(policy.closed);
    return out;
}

LoadedConfig compile_config(ReadConfig read) {
    LoadedConfig out;
    const ConfigText& text = read.text;
    // A folder that others may write is both the settings' and policy's problem; said once.
    for (const Problem& problem : text.unreadable) {
        if (std::ranges::find(out.problems, problem) == out.problems.end()) out.problems.push_back(problem);
    }
    if (text.settings) {
        CompiledSettings compiled = compile_settings(*text.settings);
        if (!has_errors(compiled.problems)) out.settings = compiled.settings;
        std::ranges::move(compiled.problems, std::back_inserter(out.problems));
    }
    Compiled compiled = compile(text.policy);
    // A file that cannot be read may hold the rule that protects a device from the others.
    const bool all_read = text.unreadable.size() == (text.settings_unreadable ? 1 : 0);
    out.policy_sound = all_read && !has_errors(compiled.problems);
    out.policy = std::move(compiled.policy);
    out.policy.max_movable_ratio = out.settings.max_movable_ratio;
    std::ranges::move(compiled.problems, std::back_inserter(out.problems));
    out.origins = std::move(read.origins);
    out.closed = std::move(read.closed);
    out.text = std::move(read.text);
    return out;
}

}  // namespace

std::vector<std::string> LoadedConfig::policy_names() const {
    std::vector<std::string> out;
    for (const SourceFile& file : text.policy) out.push_back(file.name);
    return out;
}

LoadedConfig load_config(const ConfigPaths& paths) {
    return compile_config(read_config(paths));
}

bool Configuration::look() {
    ReadConfig read = read_config(paths_);
    if (read.text == last_read_.text) {
        last_read_.origins = std::move(read.origins);  // masked files come and go without a change
        last_read_.closed = std::move(read.closed);    // and so do modes
        see_closed();
        return false;
    }
    last_read_ = compile_config(std::move(read));
    see_closed();
    return true;
}

LoadedConfig Configuration::peek() const {
    ReadConfig read = read_config(paths_);
    if (read.text != last_read_.text) return compile_config(std::move(read));
    LoadedConfig out = last_read_;
    out.origins = std::move(read.origins);
    out.closed = std::move(read.closed);
    return out;
}

void Configuration::see_closed() {
    const auto was_read = [&](const std::string& file) {
        return std::ranges::any_of(last_read_.text.policy,
                                   [&](const SourceFile& f) { return f.name == file; }) ||
               (last_read_.text.settings && last_read_.text.settings->name == file);
    };
    std::erase_if(closed_, was_read);
    closed_.insert(last_read_.closed.begin(), last_read_.closed.end());
}

}  // namespace cxlmemd
