// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "cli/commands.h"
#include "cli/event_pump.h"
#include "cli/mirror.h"
#include "cli/names.h"
#include "cli/units.h"
#include "cli/wanted.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::steady_clock;

// How soon a daemon that is there and does not answer is asked again.
constexpr std::chrono::seconds pause_before_retry{1};

using Deadline = std::optional<steady_clock::time_point>;

Deadline earlier(Deadline a, Deadline b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

bool is_past(const Deadline& deadline) {
    return deadline && steady_clock::now() >= *deadline;
}

class Waiter final {
 public:
    Waiter(const Args& args, Client& client, Output& out)
        : args_(args),
          wanted_(args.wanted),
          client_(client),
          out_(out),
          mirror_(client),
          pump_(client.connection()) {
        if (args.timeout_usec) {
            // Longer than any uptime is no limit, and would not fit the clock.
            constexpr std::uint64_t longest = 100ULL * 365 * 24 * 3600 * 1'000'000;
            deadline_ = steady_clock::now() + microseconds{std::min(*args.timeout_usec, longest)};
        }
    }

    Result<Exit> run() {
        while (true) {
            look();
            if (const auto end = verdict()) return *end;
            if (pump_.turn(earlier(earlier(deadline_, none_at_), retry_at_)) ==
                EventPump::Woken::interrupted) {
                if (is_ready_) return Exit::done;
                tell_missing();
                return fail(Exit::interrupted, fmt::format("no longer waiting for {}", wanted_.text()));
            }
        }
    }

 private:
    void look() {
        retry_at_.reset();
        if (!mirror_.refresh()) retry_at_ = steady_clock::now() + pause_before_retry;
        if (!mirror_.is_present()) return;
        objects_ = mirror_.objects();
        standing_ = stand(wanted_, mirror_.manager(), objects_);
        if (!standing_.matched) look_for_rule();
        settle();
        notify();
    }

    // Nothing of it may be on this machine: that takes a daemon that has done its work, and a while in which
    // nothing has appeared.
    void settle() {
        const bool none =
            !standing_.matched && rule_exists_ == true && text_of(mirror_.manager(), "State") != "working";
        if (!none || args_.if_none == IfNone::wait) {
            none_at_.reset();
        } else if (!none_at_ || arrivals_ != mirror_.arrivals()) {
            none_at_ = steady_clock::now() + microseconds{args_.settle_usec};
        }
        arrivals_ = mirror_.arrivals();
    }

    // A rule that is misspelt matches nothing on any machine; that is no reason to go on without memory.
    void look_for_rule() {
        if (wanted_.by != Wanted::By::rule) return;
        if (const auto generation = number_of(mirror_.manager(), "PolicyGeneration");
            generation != generation_) {
            rule_exists_ = ask_for_rule();
            if (rule_exists_) generation_ = generation;
        }
        if (!rule_exists_) {
            retry_at_ = steady_clock::now() + pause_before_retry;
        } else if (!*rule_exists_) {
            standing_.missing.insert(
                standing_.missing.begin(),
                {"", fmt::format("no {} is in force; see: cxlmemctl check", wanted_.text())});
        }
    }

    // nullopt: the daemon did not say; it may be restarting.
    std::optional<bool> ask_for_rule() {
        try {
            const auto rules =
                std::get<0>(client_.manager().EffectivePolicy({{"in_force", sdbus::Variant{true}}}));
            return std::any_of(rules.begin(), rules.end(),
                               [&](const auto& rule) { return wanted_.is_called(std::get<2>(rule)); });
        } catch (const sdbus::Error& error) {
            if (failure_of_dbus(error.getName(), error.getMessage()).code != Exit::unreachable) throw;
            standing_.missing.insert(standing_.missing.begin(),
                                     {"", fmt::format("cannot tell whether {} is in force: {}",
                                                      wanted_.text(), error.getMessage())});
            return std::nullopt;
        }
    }

    std::optional<Result<Exit>> verdict() {
        if (is_ready_) return stay();
        if (mirror_.is_present() && standing_.there) return met();
        if (is_past(none_at_) && mirror_.is_present()) return none();
        if (is_past(deadline_)) return timed_out();
        return std::nullopt;
    }

    std::optional<Result<Exit>> met() {
        tell(true, fmt::format("{}: {} online", wanted_.text(), format_bytes(standing_.online)));
        if (!args_.watch) return Exit::done;
        is_ready_ = true;
        required_ = wanted_.bytes.value_or(standing_.online);
        deadline_.reset();
        none_at_.reset();
        sd_notify(0, "READY=1");
        notify();
        return stay();
    }

    // Ends as soon as less will be there than was waited for. While the daemon is away nobody drains.
    std::optional<Result<Exit>> stay() {
        if (!mirror_.is_present() || staying(wanted_, objects_) >= required_ || required_ == 0)
            return std::nullopt;
        sd_notify(0, "STOPPING=1");
        std::string why = "less of it is online than before";
        for (const Object& device : objects_) {
            if (std::find(standing_.devices.begin(), standing_.devices.end(), device.path) ==
                standing_.devices.end())
                continue;
            if (const Object* job = drain_of(objects_, device); job != nullptr) {
                why = fmt::format("{} takes {} away ({})", job->name, device.name,
                                  text_of(job->properties, "Operation"));
                break;
            }
        }
        tell(false, fmt::format("{}: {}", wanted_.text(), why));
        return Exit::done;
    }

    Result<Exit> none() {
        const bool met = args_.if_none == IfNone::met;
        tell(met,
             fmt::format("{}: nothing on this machine{}", wanted_.text(), met ? ", and that is enough" : ""));
        if (!met) {
            tell_missing();
            return Exit::failed;
        }
        if (!args_.watch) return Exit::done;
        // It stays, so that what needs it stays; there is nothing to lose.
        is_ready_ = true;
        deadline_.reset();
        none_at_.reset();
        sd_notify(0, "READY=1");
        while (pump_.turn() != EventPump::Woken::interrupted) {
        }
        return Exit::done;
    }

    Result<Exit> timed_out() {
        if (!mirror_.is_present()) {
            return fail(
                Exit::unreachable,
                fmt::format("{}: time is up, and {}", wanted_.text(),
                            failure_of_dbus("org.freedesktop.DBus.Error.NameHasNoOwner", "").message));
        }
        add_obstacles();
        tell(false, fmt::format("{}: time is up with {} of {} online", wanted_.text(),
                                format_bytes(standing_.online),
                                standing_.wanted == 0 ? "unknown" : format_bytes(standing_.wanted)));
        tell_missing();
        return standing_.online > 0 ? Exit::partial : Exit::timed_out;
    }

    // What Explain knows beyond the properties.
    void add_obstacles() {
        std::vector<Missing> more;
        for (const Missing& missing : standing_.missing) {
            if (kind_of_path(missing.object) != Kind::dax) continue;
            try {
                const json told =
                    dictionary_to_json(client_.manager().Explain(sdbus::ObjectPath{missing.object}, {}));
                for (const json& obstacle : list_of(told, "obstacles")) {
                    if (obstacle.is_string()) more.push_back({missing.object, obstacle.get<std::string>()});
                }
            } catch (const sdbus::Error&) {
                // It has gone meanwhile, or the daemon has: what is known is said.
            }
        }
        standing_.missing.insert(standing_.missing.end(), more.begin(), more.end());
    }

    // --json has one document a change; the one of the end has the reasons.
    void tell(bool there, const std::string& text) {
        if (!out_.json()) {
            out_.text(escape(text) + "\n");
        } else {
            json missing = json::array();
            for (const Missing& one : standing_.missing) {
                missing.push_back({{"Object", one.object}, {"Reason", one.reason}});
            }
            out_.document({{"There", there},
                           {"Matched", standing_.matched},
                           {"BytesOnline", standing_.online},
                           {"BytesWanted", standing_.wanted},
                           {"DaxDevices", standing_.devices},
                           {"Missing", missing},
                           {"Message", text}},
                          args_.watch);
        }
        if (!out_.flush()) throw std::runtime_error("cannot write to standard output");
    }

    void tell_missing() {
        if (out_.json()) return;
        for (const Missing& one : standing_.missing) {
            const std::string who = one.object.empty() ? "" : name_of_path(one.object) + ": ";
            out_.text("  " + escape(who + one.reason) + "\n");
        }
    }

    // For `systemctl status`, and for who watches a terminal.
    void notify() {
        std::string text = fmt::format("{}: {} online", wanted_.text(), format_bytes(standing_.online));
        if (!is_ready_ && !standing_.missing.empty()) {
            const Missing& first = standing_.missing.front();
            text = fmt::format("waiting for {}: {}{}", wanted_.text(),
                               first.object.empty() ? "" : name_of_path(first.object) + ": ", first.reason);
        }
        text = escape(text);
        if (text == said_) return;
        said_ = text;
        sd_notify(0, ("STATUS=" + text).c_str());
        if (out_.interactive() && !is_ready_ && !standing_.there) fmt::print(stderr, "{}\n", text);
    }

    const Args& args_;
    const Wanted& wanted_;
    Client& client_;
    Output& out_;
    Mirror mirror_;
    EventPump pump_;
    Objects objects_;
    Standing standing_;
    Deadline deadline_;
    Deadline none_at_;  // when it counts as not being on this machine
    Deadline retry_at_;
    unsigned arrivals_ = 0;
    std::optional<std::uint64_t> generation_;  // of the policy that rule_exists_ is about
    std::optional<bool> rule_exists_ = true;   // also when no rule is waited for; nullopt: not known
    bool is_ready_ = false;
    std::uint64_t required_ = 0;
    std::string said_;
};

Result<std::uint64_t> parse_wanted_bytes(const std::string& text) {
    auto bytes = parse_bytes(text);
    if (bytes && *bytes == 0) return fail(Exit::usage, "0 is nothing to wait for");
    return bytes;
}

Result<std::uint64_t> parse_settle(const std::string& text) {
    constexpr std::uint64_t day = 24ULL * 3600 * 1'000'000;
    auto settle = parse_usec(text);
    if (settle && *settle > day) return fail(Exit::usage, "more than a day");
    return settle;
}

}  // namespace

Result<Exit> wait(const Args& args, Client& client, Output& out) {
    return Waiter(args, client, out).run();
}

void wait_options(OptionSet& set) {
    Args& args = set.args();
    Wanted& wanted = args.wanted;
    CLI::App& app = set.app();
    auto* what = app.add_option_group("what", "What to wait for");
    const auto one = [&](const char* name, const char* type, Wanted::By by, auto names, const char* text) {
        return what
            ->add_option_function<std::string>(
                name,
                [name, by, names, &wanted](const std::string& word) {
                    if (word.empty())
                        throw CLI::ValidationError(name, "say what to wait for: the name is empty");
                    wanted.by = by;
                    wanted.names = names(word);
                },
                text)
            ->type_name(type);
    };
    const auto alone = [](const std::string& word) { return std::vector<std::string>{word}; };
    const auto number = [](const std::string& word) {
        return std::vector<std::string>{std::to_string(std::stoul(word))};
    };
    one("--rule", "RULE", Wanted::By::rule, alone, "All memory that this rule decides about");
    one("--instance", "NAME", Wanted::By::rule, instance_names,
        "The same for the rule of a systemd unit's instance");
    one("--device", "NAME", Wanted::By::device, alone, "dax0.0; or all of region0 or mem0");
    one("--node", "N", Wanted::By::node, number, "Memory of this NUMA node")
        ->check(CLI::TypeValidator<unsigned>());
    what->require_option(1);
    set.read("--bytes", wanted.bytes, "N", parse_wanted_bytes, "As much as this is enough, as in 96GiB");
    app.add_option_function<std::string>(
           "--if-none",
           [&args](const std::string& word) {
               args.if_none = word == "met" ? IfNone::met : word == "fail" ? IfNone::fail : IfNone::wait;
           },
           "If this machine has nothing of it: wait (the default), met, or fail")
        ->type_name("WORD")
        ->check(CLI::IsMember({"wait", "met", "fail"}))
        ->take_last();
    set.read("--settle", args.settle_usec, "TIME", parse_settle,
             "How long nothing may appear until it has none; default: 10s");
    set.flag("--watch", args.watch, "Then stay, as a unit of type notify, and end when it is about to go");
    set.timeout();
}

}  // namespace cxlmemctl
