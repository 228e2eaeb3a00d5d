// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/args.h"

#include <cxlmemctl_version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "cli/names.h"
#include "cli/times.h"

namespace cxlmemctl {
namespace {

// Options as the user wrote them, before units are read.
struct Raw {
    Args args;
    std::string one_name;  // of the commands that take a single object
    std::string kind;
    std::string amount = "all";
    std::string timeout;
    bool rollback = false;
    bool no_hold = false;
    bool no_ask_password = false;
    // wait
    std::string rule, instance, device, node, bytes, settle;
    std::string if_none = "wait";
    std::string since;  // record
};

// What a script made of a variable that is not set must not act on this machine instead of another.
std::string names_a_host(const std::string& text) {
    const std::size_t at = text.rfind('@');
    const std::string host = at == std::string::npos ? text : text.substr(at + 1);
    return host.empty() || at == 0 ? "names no host: " + text : std::string{};
}

std::string names_a_bus(const std::string& text) {
    return text.empty() ? "names no bus: say system, session, or a D-Bus address" : std::string{};
}

class Grammar final {
 public:
    Grammar() : app_("Looks at CXL memory and tells cxlmemd what to do with it.", "cxlmemctl") {
        app_.set_version_flag("--version", std::string("cxlmemctl ") + version);
        app_.set_help_flag("-h,--help", "Print this help and exit");
        app_.require_subcommand(0, 1);
        app_.fallthrough();
        app_.get_formatter()->column_width(34);
        global_options();
        reading_commands();
        policy_commands();
        device_commands();
    }

    CLI::App& app() { return app_; }
    Raw& raw() { return raw_; }

 private:
    CLI::App* add(const char* name, Command command, const char* text) {
        CLI::App* sub = app_.add_subcommand(name, text);
        sub->fallthrough();
        sub->callback([this, name, command] {
            raw_.args.command = command;
            raw_.args.command_name = name;
        });
        return sub;
    }

    void global_options() {
        Destination& to = raw_.args.destination;
        app_.add_flag("--json", raw_.args.json, "Print JSON");
        auto* bus = app_.add_option("--bus", to.bus, "system, session, or a D-Bus address")
                        ->type_name("BUS")
                        ->check(names_a_bus)
                        ->take_last()
                        ->capture_default_str();
        app_.add_option("-H,--host", to.host, "The daemon of another machine, through ssh")
            ->type_name("[USER@]HOST")
            ->check(names_a_host)
            ->excludes(bus);
        app_.add_flag("--no-ask-password", raw_.no_ask_password, "Do not ask for a password");
        app_.add_flag("--no-block", raw_.args.no_block, "Print the job and do not wait for it");
    }

    void names(CLI::App* sub, const char* text, const char* type = "NAME") {
        sub->add_option("names", raw_.args.names, text)->required()->type_name(type);
    }

    void one_name(CLI::App* sub) {
        sub->add_option("name", raw_.one_name, "dax0.0")->required()->type_name("NAME");
    }

    void reading_commands() {
        add("status", Command::status, "Show the daemon, its policy, and all dax devices");
        CLI::App* list = add("list", Command::list, "List objects");
        std::vector<std::string> kinds;
        for (const Kind kind : all_kinds) kinds.emplace_back(list_word(kind));
        list->add_option("kind", raw_.kind, "memdevs, regions, decoders, dax, nodes or jobs")
            ->check(CLI::IsMember(kinds))
            ->type_name("KIND");
        CLI::App* show = add("show", Command::show, "Show all properties of objects");
        names(show, "dax0.0, region0, mem0, node1, job 3");
        show->add_flag("--blocks", raw_.args.blocks, "Of dax devices: their memory blocks by zone and state");
        add("monitor", Command::monitor, "Show what happens, until Ctrl-C");
        wait_command();
        CLI::App* metrics = add("metrics", Command::metrics, "Print metrics as OpenMetrics text");
        metrics->add_option("--output", raw_.args.output, "Replace this file by them, at once")
            ->type_name("FILE");
        CLI::App* topology =
            add("topology", Command::topology, "Draw cards, windows, regions, devices and nodes");
        topology->add_flag("--ascii", raw_.args.ascii, "Lines of ASCII, whatever the locale");
        topology
            ->add_option("--svg", raw_.args.output, "Replace this file by a picture; - for standard output")
            ->type_name("FILE");
        CLI::App* record =
            add("record", Command::record, "Print this host's topology as a file for the emulator");
        record
            ->add_option(
                "--since", raw_.since,
                "What has happened since, as a scenario: \"1 hour ago\", \"14:30\", \"2026-11-28 14:30\"")
            ->type_name("TIME");
        record->add_flag("--anonymise", raw_.args.anonymise, "Make serial numbers and physical addresses up");
    }

    void wait_command() {
        CLI::App* wait = add("wait", Command::wait, "Wait until memory is online, and say what is missing");
        auto* what = wait->add_option_group("what", "What to wait for");
        what->add_option("--rule", raw_.rule, "All memory that this rule decides about")->type_name("RULE");
        what->add_option("--instance", raw_.instance, "The same for the rule of a systemd unit's instance")
            ->type_name("NAME");
        what->add_option("--device", raw_.device, "dax0.0; or all of region0 or mem0")->type_name("NAME");
        what->add_option("--node", raw_.node, "Memory of this NUMA node")
            ->type_name("N")
            ->check(CLI::TypeValidator<unsigned>());
        what->require_option(1);
        wait->add_option("--bytes", raw_.bytes, "As much as this is enough, as in 96GiB")
            ->type_name("N")
            ->take_last();
        wait->add_option("--if-none", raw_.if_none,
                         "If this machine has nothing of it: wait (the default), met, or fail")
            ->type_name("WORD")
            ->check(CLI::IsMember({"wait", "met", "fail"}))
            ->take_last();
        wait->add_option("--settle", raw_.settle,
                         "How long nothing may appear until it has none; default: 10s")
            ->type_name("TIME")
            ->take_last();
        wait->add_flag("--watch", raw_.args.watch,
                       "Then stay, as a unit of type notify, and end when it is about to go");
        wait->add_option("--timeout", raw_.timeout, "Give up after this time, as in 90s or 5min")
            ->type_name("TIME")
            ->take_last();
    }

    void policy_commands() {
        CLI::App* plan = add("plan", Command::plan, "Show what policy would do now");
        plan->add_option("--on", raw_.args.on, "On these recorded machines, and all in these folders")
            ->type_name("FILE|DIR...");
        plan->add_option("--policy", raw_.args.policy, "With the policy files in this folder")
            ->type_name("DIR");
        plan->add_option("--against", raw_.args.against,
                         "Only what changes from the policy files in this folder")
            ->type_name("DIR");
        add("apply", Command::apply, "Do what policy says now");
        one_name(
            add("explain", Command::explain, "Say why a device, card, region, decoder or node is as it is"));
        add("reload", Command::reload, "Read the policy files again");
        add("import", Command::import,
            "Print the policy that does what a daxctl configuration or udev rules do")
            ->add_option("file", raw_.one_name, "daxctl.conf, or *.rules of udev; - for standard input")
            ->required()
            ->type_name("FILE");
        CLI::App* check =
            add("check", Command::check, "Check policy files together, or those of the daemon on disk");
        check->add_option("files", raw_.args.names, "Policy files, - for standard input")->type_name("FILE");
    }

    void device_commands() {
        CLI::App* online = add("online", Command::online, "Bring dax devices online as memory");
        names(online, "dax0.0");
        online->add_option("--zone", raw_.args.zone, "movable, kernel or auto; default: what its rule says")
            ->check(CLI::IsMember({"movable", "kernel", "auto"}))
            ->type_name("ZONE");
        online
            ->add_option("--amount", raw_.amount,
                         "all, a percentage, or a size as in 96GiB: so much from the device's upper end")
            ->type_name("N");
        work_options(online);
        CLI::App* offline = add("offline", Command::offline, "Take dax devices offline");
        names(offline, "dax0.0");
        work_options(offline);
        CLI::App* mode = add("mode", Command::mode, "Give a dax device another mode");
        one_name(mode);
        mode->add_option("mode", raw_.args.mode, "system-ram, devdax or famfs")
            ->required()
            ->check(CLI::IsMember({"system-ram", "devdax", "famfs"}))
            ->type_name("MODE");
        work_options(mode);
        names(add("hold", Command::hold, "Keep policy off dax devices"), "dax0.0");
        names(add("release", Command::release, "Give dax devices, regions or memdevs back to policy"),
              "dax0.0");
        CLI::App* remove = add("remove", Command::remove, "Take regions away, or empty cards to pull them");
        names(remove, "region0, mem0");
        limits(remove);
        names(add("cancel", Command::cancel, "Cancel jobs"), "3", "JOB");
    }

    void work_options(CLI::App* sub) {
        limits(sub);
        sub->add_flag("--no-hold", raw_.no_hold, "Policy may change it again at once");
    }

    void limits(CLI::App* sub) {
        sub->add_option("--timeout", raw_.timeout, "Give up after this time, as in 90s or 5min")
            ->type_name("TIME");
        sub->add_flag("--rollback,!--no-rollback", raw_.rollback, "Put back what was done if it fails");
    }

    CLI::App app_;
    Raw raw_;
};

Parsed usage_error(const std::string& message) {
    return {std::nullopt, Exit::usage, message + "; see cxlmemctl --help"};
}

// Of wait. Empty: good.
std::string read_wanted(const Raw& raw, Args& args) {
    Wanted& wanted = args.wanted;
    if (!raw.node.empty()) {
        wanted.by = Wanted::By::node;
        wanted.names = {std::to_string(std::stoul(raw.node))};
    } else if (!raw.device.empty()) {
        wanted.by = Wanted::By::device;
        wanted.names = {raw.device};
    } else {
        wanted.names = raw.rule.empty() ? instance_names(raw.instance) : std::vector<std::string>{raw.rule};
    }
    if (wanted.names.front().empty()) return "say what to wait for: the name is empty";
    if (!raw.bytes.empty()) {
        const auto bytes = parse_bytes(raw.bytes);
        if (!bytes) return "--bytes: " + bytes.error().message;
        if (*bytes == 0) return "--bytes: 0 is nothing to wait for";
        wanted.bytes = *bytes;
    }
    if (!raw.settle.empty()) {
        const auto settle = parse_usec(raw.settle);
        if (!settle) return "--settle: " + settle.error().message;
        constexpr std::uint64_t day = 24ULL * 3600 * 1'000'000;
        if (*settle > day) return "--settle: more than a day";
        args.settle_usec = *settle;
    }
    for (const auto& [word, meaning] :
         {std::pair{"wait", IfNone::wait}, {"met", IfNone::met}, {"fail", IfNone::fail}})
        if (raw.if_none == word) args.if_none = meaning;
    return {};
}

Parsed finish(Grammar& grammar) {
    if (grammar.app().get_subcommands().empty())
        return usage_error("say what to do, as in: cxlmemctl status");
    Raw& raw = grammar.raw();
    Args args = std::move(raw.args);
    args.destination.ask_password = !raw.no_ask_password;
    args.hold = !raw.no_hold;
    if (!raw.one_name.empty()) args.names = {raw.one_name};
    if (args.command != Command::check) args.names = join_job_words(args.names);
    for (const Kind kind : all_kinds) {
        if (list_word(kind) == raw.kind) args.kind = kind;
    }
    const auto amount = parse_amount(raw.amount);
    if (!amount) return usage_error("--amount: " + amount.error().message);
    args.amount = *amount;
    if (!raw.timeout.empty()) {
        const auto timeout = parse_usec(raw.timeout);
        if (!timeout) return usage_error("--timeout: " + timeout.error().message);
        args.timeout_usec = *timeout;
    }
    if (args.plans_on_records() && !args.destination.host.empty() && args.policy.empty())
        return usage_error("--host: say with --policy which policy is meant");
    if (!raw.since.empty()) {
        const auto since = parse_time(raw.since, realtime_usec());
        if (!since) return usage_error("--since: " + since.error().message);
        args.since_usec = *since;
    }
    if (args.command == Command::wait) {
        if (std::string wrong = read_wanted(raw, args); !wrong.empty()) return usage_error(wrong);
    }
    const CLI::Option* rollback = nullptr;
    for (const CLI::App* sub : grammar.app().get_subcommands()) {
        rollback = sub->get_option_no_throw("--rollback");
    }
    if (rollback != nullptr && rollback->count() > 0) args.rollback = raw.rollback;
    return {std::move(args), Exit::done, {}};
}

}  // namespace

Parsed parse_args(int argc, const char* const* argv) {
    // CLI11 would take the next word for the value of these.
    for (const char* const* word = argv; word != argv + argc && std::string_view{*word} != "--"; ++word) {
        for (const std::string_view option : {"--host=", "--bus="}) {
            if (*word == option) return usage_error(std::string{option} + " has no value");
        }
    }
    Grammar grammar;
    try {
        grammar.app().parse(argc, argv);
        return finish(grammar);
    } catch (const CLI::CallForHelp&) {
        const auto chosen = grammar.app().get_subcommands();
        return {std::nullopt, Exit::done, (chosen.empty() ? &grammar.app() : chosen.front())->help()};
    } catch (const CLI::CallForVersion& version_text) {
        return {std::nullopt, Exit::done, std::string(version_text.what()) + "\n"};
    } catch (const CLI::ParseError& error) {
        return usage_error(error.what());
    }
}

}  // namespace cxlmemctl
