// SPDX-License-Identifier: LGPL-2.1-or-later
// Service's part about the configuration: reading it, noticing edits, putting it in force.
#include <algorithm>
#include <iterator>

#include "daemon/closed_text.h"
#include "daemon/service.h"

namespace cxlmemd {

namespace {

// "1 rule", "2 rules"
std::string counted(std::size_t number, const char* noun) {
    return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace

namespace {

Error invalid_policy(const std::vector<Problem>& problems) {
    const auto is_error = [](const Problem& p) { return p.severity == Severity::error; };
    const auto first = std::ranges::find_if(problems, is_error);
    const auto more = std::ranges::count_if(problems, is_error) - 1;
    return {.code = ErrorCode::invalid_policy,
            .object = {},
            .operation = {},
            .errnum = 0,
            .reason = to_string(*first) + (more > 0 ? " (and " + std::to_string(more) + " more)" : ""),
            .advice = "the policy in force stays"};
}

}  // namespace

void Service::watch_configuration() {
    config_watch_ = std::make_unique<ConfigWatch>(
        loop_, configuration_.paths(),
        ConfigWatch::Hooks{
            .changed = [this] { configuration_edited(); },
            .failed = [this](const std::string& message) { log_.write(LogLevel::warning, message); }});
}

// Until then an edit is only said; the policy in force is what was put in force.
void Service::configuration_edited() {
    if (stopping_) return;
    const bool is_edited = configuration_.look();
    if (model_.closed_files != configuration_.closed()) {
        // A mode was changed: others may see more of the text now, or less.
        show_configuration();
        if (started_) publish();
    }
    if (!is_edited && !edit_is_unsaid_) return;
    edit_is_unsaid_ = !config_watch_->quiet();
    if (edit_is_unsaid_) return;  // what was read may be half of it
    const std::vector<Problem>& problems = configuration_.last_read().problems;
    log_problems(problems);
    if (has_errors(problems)) {
        log_.write(message::config_edited, LogLevel::error,
                   "the edited configuration has errors: the one in force stays");
    } else if (configuration_.is_in_force()) {
        log_.write(message::config_edited, LogLevel::notice,
                   "the configuration files are again as the configuration in force");
    } else if (model_.settings.auto_reload) {
        put_in_force();
        scanner_.look_again();  // what has changed without an event is put right, too
        return;
    } else {
        log_.write(message::config_edited, LogLevel::notice,
                   "the configuration was edited and has no errors: it waits for a reload");
    }
    show_configuration();
    if (started_) publish();
}

void Service::show_configuration() {
    model_.policy_problems = configuration_.last_read().problems;
    model_.policy_pending = configuration_.is_pending();
    model_.closed_files = configuration_.closed();
}

// What the files say counts from the moment of the call; what policy does with it, from a scan after it.
void Service::reload(bus::Viewer viewer, Then<std::uint64_t> then) {
    recorder_.called({.method = "reload", .object = {}});
    configuration_.look();
    edit_is_unsaid_ = false;
    log_problems(configuration_.last_read().problems);
    if (has_errors(configuration_.last_read().problems)) return then(reload_now(viewer));
    // What is under way for the old policy ends at once; the scan comes behind it.
    const bool is_put_in_force = jobs_.any_unfinished();
    if (is_put_in_force) put_in_force();
    fresh_look_.look(FreshLook::Caller::authorised, [this, viewer, is_put_in_force, then = std::move(then)](
                                                        const std::optional<Error>& outdated) {
        if (stopping_) return then(fail(*outdated));
        if (outdated) log_.write(LogLevel::warning, "reload: from an older scan: " + outdated->text());
        if (is_put_in_force) return then(model_.policy_generation);
        then(reload_now(viewer));
    });
}

Result<std::uint64_t> Service::reload_now(bus::Viewer viewer) {
    const std::vector<Problem>& problems = configuration_.last_read().problems;
    if (has_errors(problems)) {
        statistics_.reloaded(false);
        show_configuration();
        publish();
        std::vector<Problem> shown = problems;
        if (viewer != bus::Viewer::root) close_text(shown, model_.closed_files);
        return fail(invalid_policy(shown));
    }
    return put_in_force();
}

// What was read last, which has no errors. All of it or nothing: nothing here can fail.
std::uint64_t Service::put_in_force() {
    configuration_.put_in_force();
    const LoadedConfig& loaded = configuration_.last_read();
    const AutoOnlineHandling before = model_.settings.auto_online;
    // What LogControl1 was told stays, unless the file says something else now.
    if (model_.settings.log_level != loaded.settings.log_level) log_.set_level(loaded.settings.log_level);
    model_.settings = loaded.settings;
    model_.policy = loaded.policy;
    model_.policy_files = loaded.policy_names();
    model_.policy_problems_in_force = loaded.problems;
    show_configuration();
    ++model_.policy_generation;
    statistics_.reloaded(true);
    recorder_.policy(loaded.text);
    model_.observe_forced = false;
    log_.write(message::policy_reloaded, LogLevel::notice,
               "policy reloaded: " + counted(model_.policy.rules.size(), "rule") + " from " +
                   counted(model_.policy_files.size(), "file"));
    reconciler_.forget_failures();
    tuner_.forget();
    provisioner_.forget();
    auto_online_undone_ = 0;
    manage_auto_online([] {});
    if (before == AutoOnlineHandling::manage && model_.settings.auto_online == AutoOnlineHandling::leave) {
        put_auto_online_back([this] { scanner_.look_again(); });
    }
    refresh();
    return model_.policy_generation;
}

void Service::check_policy(std::vector<SourceFile> files, std::uint32_t uid, Checked then) {
    checker_.see(seen_kinds(model_.topology));
    checker_.check(std::move(files), uid, std::move(then));
}

bus::EffectivePolicy Service::effective_policy(bool in_force, bus::Viewer viewer) {
    bus::EffectivePolicy out;
    if (in_force) {
        out = {listing(model_.policy), {}, model_.policy_problems_in_force};
        for (const std::string& file : model_.policy_files) out.files.push_back({file, ""});
        if (viewer != bus::Viewer::root) close_text(out, model_.closed_files);
        return out;
    }
    const LoadedConfig found = configuration_.peek();
    // Of a policy with errors nobody can say what it would do.
    out = {found.policy_sound ? listing(found.policy) : std::vector<ListedRule>{}, found.origins,
           found.problems};
    if (found.policy_sound) {
        std::ranges::move(kind_warnings(found.policy, seen_kinds(model_.topology)),
                          std::back_inserter(out.problems));
    }
    if (viewer != bus::Viewer::root) close_text(out, found.closed);
    return out;
}

}  // namespace cxlmemd
