// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemd: the start-up story.
#include <malloc.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/linux/linux_backend.h"
#include "daemon/asked.h"
#include "daemon/bus_link.h"
#include "daemon/call_record.h"
#include "daemon/check_config.h"
#include "daemon/early.h"
#include "daemon/event_loop.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/plan_on.h"
#include "daemon/service.h"
#include "daemon/small_file.h"
#include "daemon/watchdog.h"
#include "daemon/worker.h"
#include "policy/text.h"
#include "version.h"

namespace {

using namespace cxlmemd;

// Signals are handled in the loop; blocked before any thread exists, so that none takes them.
void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

struct Machine {
    BackendPair pair;
    EmulatorControl* control = nullptr;  // null with the linux backend
};

Result<Machine> make_machine(const std::string& backend) {
    if (backend == "linux") return Machine{make_linux({}, monotonic_usec), nullptr};
    emulator::MachineDescription description = emulator::two_card_server();
    if (backend != "emulator") {
        auto read = emulator::read_machine_file(backend.substr(std::string{"emulator:"}.size()));
        if (!read) return fail(read.error());
        description = std::move(*read);
    }
    Emulator emulator = make_emulator(std::move(description));
    return Machine{std::move(emulator.pair), emulator.control};
}

// The running kernel says nothing of an emulated machine.
emulator::RecordedBy recorded_by(const std::string& backend) {
    utsname kernel{};
    const bool known = backend == "linux" && ::uname(&kernel) == 0;
    return {.version = version,
            .backend = backend,
            .kernel = known ? std::string{kernel.sysname} + " " + kernel.release : ""};
}

// Empty if it cannot be read.
std::string boot_id() {
    const auto text = read_small_file("/proc/sys/kernel/random/boot_id");
    const std::string id = text ? text->value_or("") : "";
    return id.substr(0, id.find('\n'));
}

void log_step(Log& log, const ScenarioReport& step) {
    if (step.place.empty()) return log.write(LogLevel::debug, "the emulated kernel: " + step.event);
    const std::string what = step.place + ": " + step.event;
    if (step.outcome) return log.write(message::step_done, LogLevel::info, what);
    log.write(message::step_refused, LogLevel::warning, what + ": " + step.outcome.error().text());
}

// What systemd is told of the start and of reloads (sd_notify(3)); with Type=notify-reload it sends SIGHUP
// and waits for both messages. A reload whose signal came before the start has ended is part of the start.
class Readiness {
 public:
    void reload_begins() {
        ++reloads_;
        if (!is_ready_) return;
        ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_usec())).c_str());
    }

    // READY=1 also if it failed: what was in force stays so.
    void reload_ends() {
        if (--reloads_ == 0 && is_ready_) ::sd_notify(0, "READY=1");
    }

    void start_ends() {
        is_ready_ = true;
        ::sd_notify(0, "READY=1");
    }

 private:
    bool is_ready_ = false;
    unsigned reloads_ = 0;
};

void print_plan(Service& service) {
    const auto entries = service.planned(bus::Viewer::root);
    for (const bus::PlanEntry& e : entries) {
        std::cout << visible(e.dax.empty() ? "region '" + e.rule + "'" : e.dax) << ": " << e.action;
        if (!e.mode.empty()) std::cout << " " << e.mode;
        if (e.zone != "none") std::cout << " " << e.zone;
        if (e.blocks != 0) std::cout << " " << e.blocks << " blocks (" << format_size(Bytes{e.bytes}) << ")";
        std::cout << ": " << visible(e.reason);
        if (!e.rule.empty()) std::cout << " [" << visible(e.file) << ":" << e.line << "]";
        std::cout << '\n';
    }
    if (entries.empty()) std::cout << "nothing to do\n";
}

int run(const Options& options, const ConfigPaths& config) {
    block_signals();
    Log log{Log::stderr_is_journal(std::getenv("JOURNAL_STREAM"))};  // NOLINT(concurrency-mt-unsafe)

    auto machine = make_machine(options.backend);
    if (!machine) {
        std::cerr << "cxlmemd: " << visible(machine.error().text()) << '\n';
        return 1;
    }
    if (machine->control != nullptr) {
        machine->control->on_report([&log](const ScenarioReport& step) { log_step(log, step); });
    }
    EventLoop loop;
    LoopClock clock{loop};
    const std::string backend_name{machine->pair.worker_side->name()};
    Worker worker{loop, std::move(machine->pair.worker_side)};
    Service service{loop,
                    clock,
                    worker,
                    std::move(machine->pair.loop_side),
                    log,
                    {.config = config,
                     .state_dir = options.state_dir,
                     .runtime_dir = options.runtime_dir,
                     .boot_id = boot_id(),
                     .observe = options.observe,
                     .recorded_by = recorded_by(backend_name)},
                    [](const std::string& status) { ::sd_notify(0, ("STATUS=" + visible(status)).c_str()); }};

    if (machine->control != nullptr) {
        machine->control->on_ask([&](const CallerAsk& ask) { carry_out(ask, service, log); });
    }

    if (options.action == Options::Action::plan) {
        service.start_to_plan([&] {
            print_plan(service);
            loop.exit(has_errors(service.model().policy_problems) ? 1 : 0);
        });
        return loop.run();
    }

    // Bus, objects, watch; then the name, so that nobody ever sees half of it; then the loop. Without a bus
    // the same work is done, and the link goes on trying.
    BusLink link{options.bus,
                 worker,
                 {.loop = loop,
                  .service = service,
                  .log = log,
                  .manager = bus::ManagerFixed{version, backend_name},
                  .control = machine->control}};
    const auto stop = [&] {
        ::sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
        link.close();
        service.stop([&loop] { loop.exit(0); });
    };
    const auto on_term = loop.add_signal(SIGTERM, stop);
    const auto on_int = loop.add_signal(SIGINT, stop);
    Readiness readiness;
    const auto on_hup = loop.add_signal(SIGHUP, [&] {
        readiness.reload_begins();
        service.reload(bus::Viewer::root, [&log, &readiness](const Result<std::uint64_t>& done) {
            readiness.reload_ends();
            if (!done) log.write(message::reload_failed, LogLevel::error, "reload: " + done.error().text());
        });
    });

    std::optional<Watchdog> watchdog;
    const auto start_watchdog = [&](std::uint64_t usec) {
        watchdog.emplace(
            loop, usec,
            std::vector<Watchdog::Proof>{
                {"the worker", [&](std::function<void()> given) { worker.prove(std::move(given)); }}},
            Watchdog::Hooks{.feed = [] { ::sd_notify(0, "WATCHDOG=1"); },
                            .starves =
                                [&](const std::string& name) {
                                    log.write(message::starving, LogLevel::error,
                                              name + " does not answer: the watchdog is not fed");
                                }});
    };
    service.start([&](std::function<void()> act) {
        link.take_name([&, act = std::move(act)] {
            if (std::uint64_t usec = 0; ::sd_watchdog_enabled(0, &usec) > 0) start_watchdog(usec);
            readiness.start_ends();
            if (machine->control != nullptr) machine->control->start_scenario();
            log.write(message::ready, LogLevel::notice,
                      std::string{"cxlmemd "} + version + " is ready, backend " + backend_name);
            act();
        });
    });
    return loop.run();
}

}  // namespace

int main(int argc, char** argv) {
    // One heap for all threads: what the worker makes the loop frees. Smaller, and they seldom meet there.
    ::mallopt(M_ARENA_MAX, 1);
    try {
        const Environment environment{std::getenv("STATE_DIRECTORY"),
                                      std::getenv("RUNTIME_DIRECTORY")};  // NOLINT(concurrency-mt-unsafe)
        const ParsedOptions parsed = parse_options(argc, argv, environment);
        if (!parsed.options) return parsed.code;
        const Options& options = *parsed.options;
        const ConfigPaths config =
            options.config ? ConfigPaths::only(*options.config) : ConfigPaths::system();
        if (options.action == Options::Action::check_config && options.config &&
            !std::filesystem::is_directory(*options.config)) {
            std::cerr << "cxlmemd: " << options.config->string() << " is not a directory\n";
            return 1;
        }
        if (options.action == Options::Action::check_config) return check_config(options, config);
        if (options.action == Options::Action::plan_on) return plan_on(options, config);
        if (options.action == Options::Action::early) {
            if (options.backend == "linux") return hold_auto_online(options, config, {});
            std::cerr << "cxlmemd: --early is for the kernel: an emulator is nobody's before it runs\n";
            return 2;
        }
        return run(options, config);
    } catch (const std::exception& e) {
        std::cerr << "cxlmemd: " << e.what() << '\n';
        return 1;
    }
}
