// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "daemon/facts_builder.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t interrupt_again_usec = 50'000;
constexpr std::uint64_t longest_stop_usec = 10'000'000;
// An unbind whose blocks do not get fewer for so long, while nobody holds the kernel's hotplug lock.
constexpr std::uint64_t doubt_usec = 5'000'000;
constexpr std::uint64_t first_passing_pause_usec = 100'000;
constexpr std::uint64_t longest_passing_pause_usec = 60'000'000;
constexpr std::size_t most_logged_problems = 100;

}  // namespace

Service::Service(EventLoop& loop, Clock& clock, Worker& worker, std::unique_ptr<EventSource> events, Log& log,
                 ServiceOptions options, std::function<void(const std::string&)> status)
    : loop_(loop),
      worker_(worker),
      log_(log),
      options_(std::move(options)),
      status_(std::move(status)),
      clock_(clock),
      book_(options_.state_dir, options_.boot_id, [this](const Error& error) { say_unsaved(error); }),
      model_(book_.holds()),
      configuration_(options_.config),
      keeper_(options_.runtime_dir),
      checker_(loop),
      recorder_(loop, worker.answers(), model_, log,
                {.state_dir = options_.state_dir, .by = options_.recorded_by, .boot_id = options_.boot_id}),
      statistics_(realtime_usec(), worker.answers()),
      jobs_(loop, clock_, worker, job_hooks()),
      drift_book_(options_.state_dir, options_.boot_id),
      reconciler_(clock_, model_, jobs_, drift_book_, log,
                  {.announce =
                       [this](const Decision& decision) {
                           recorder_.decided(decision);
                           if (!started_) return;
                           tell([&](bus::Tree& tree) {
                               bus::PlanEntry entry = build_decision(model_.topology, decision);
                               close_text(entry, model_.closed_files);
                               tree.decision(entry, std::string{to_string(decision.verdict)});
                           });
                       },
                   .again = [this] { refresh(); },
                   .drifted = [this](bool enforced) { statistics_.drift(enforced); }}),
      scanner_(loop, clock_, worker, std::move(events), scanner_hooks()),
      fresh_look_(clock_, {.rescan = [this](Scanner::Then then) { scanner_.rescan(std::move(then)); },
                           .stuck_call = [this] { return model_.stuck_call; }}),
      tuner_(clock_, worker, model_, log,
             {.rescan = [this](std::function<void()> then) { scanner_.when_scanned(std::move(then)); },
              .again = [this] { refresh(); }}),
      provisioner_(clock_, worker, model_, log, options_.runtime_dir,
                   {.rescan = [this](std::function<void()> then) { scanner_.when_scanned(std::move(then)); },
                    .again = [this] { refresh(); }}),
      card_watch_(model_, log),
      leak_book_(options_.runtime_dir) {
    model_.observe_asked = options_.observe;
    worker_.on_stuck({.stuck =
                          [this](const std::string& what) {
                              model_.stuck_call = what;
                              log_.write(message::worker_stuck, LogLevel::error,
                                         "stuck in the kernel: " + what + " has not returned");
                              publish_soon();
                          },
                      .back =
                          [this] {
                              log_.write(message::worker_back, LogLevel::notice,
                                         "the kernel came back from " + model_.stuck_call);
                              model_.stuck_call.clear();
                              publish_soon();
                          }});
}

Service::~Service() {
    worker_.on_stuck({.stuck = [](const std::string&) {}, .back = [] {}});
}

void Service::load_at_start() {
    configuration_.look();
    const LoadedConfig& loaded = configuration_.last_read();
    model_.settings = loaded.settings;
    log_.set_level(model_.settings.log_level);
    model_.policy_files = loaded.policy_names();
    model_.policy_problems_in_force = loaded.problems;
    log_problems(loaded.problems);
    if (has_errors(loaded.problems)) {
        model_.observe_forced = true;
        log_.write(message::only_watching, LogLevel::error,
                   "the configuration has errors: only watching until a reload finds it good");
    } else {
        configuration_.put_in_force();
    }
    if (loaded.policy_sound) {
        model_.policy = loaded.policy;
        model_.policy_generation = 1;
    }
    show_configuration();
    if (auto leaks = leak_book_.load(); !leaks) log_.write(LogLevel::error, leaks.error().text());
    if (auto drifts = drift_book_.load(); !drifts) {
        log_.write(LogLevel::error,
                   drifts.error().text() + ": drift that was reported is not known, policy puts it right");
    }
    if (auto holds = book_.load(); !holds) {
        // Not knowing what an administrator holds, policy must not touch anything.
        log_.write(message::only_watching, LogLevel::error, holds.error().text() + ": only watching");
        model_.holds_unknown = true;
    }
}

void Service::start(Ready ready) {
    watch_configuration();  // before it is read: no edit is missed
    load_at_start();
    scanner_.rescan([this, ready = std::move(ready)](const auto&) {
        if (stopping_) return;
        started_ = true;
        recorder_.begin(configuration_.last_read().text);
        const Topology& t = model_.topology;
        if (t.memdevs.empty() && t.dax_devices.empty()) {
            log_.write(message::no_devices, LogLevel::notice,
                       "no CXL memory and no dax device on this machine; watching for some");
        }
        publish();
        manage_when_seen_ = model_.scan_error.has_value();
        // What a daemon that managed it has left behind, in a crash, is put back if it is not ours to manage.
        if (model_.settings.auto_online == AutoOnlineHandling::leave && !model_.observing())
            put_auto_online_back([] {});
        // Who is ordered after us may count on the kernel waiting for policy.
        manage_auto_online([this, ready] { ready([this] { refresh(); }); });
    });
}

void Service::start_to_plan(std::function<void()> ready) {
    load_at_start();
    model_.observe_asked = true;
    scanner_.rescan([this, ready = std::move(ready)](const auto&) {
        model_.decisions = decide(model_.topology, model_.policy, model_.holds);
        ready();
    });
}

void Service::stop(std::function<void()> done) {
    if (stopping_) return;
    stopping_ = true;
    config_watch_.reset();
    checker_.close();
    fresh_look_.close();
    jobs_.shut_down();
    recorder_.end();
    provisioner_.shut_down();
    const std::uint64_t last = put_auto_online_back(done);  // queued behind the running step
    interrupt_until(last);
    give_up_ = loop_.add_timer(longest_stop_usec, [this, done] {
        log_.write(message::left_behind, LogLevel::error,
                   "a write hangs in the kernel and cannot be interrupted; leaving it behind");
        done();
    });
}

// Whatever still blocks the worker, a scan or a write, must not block the stop.
void Service::interrupt_until(std::uint64_t last_task) {
    worker_.interrupt_before(last_task);
    interrupter_ = loop_.add_timer(interrupt_again_usec, [this, last_task] { interrupt_until(last_task); });
}

void Service::take_topology(Topology topology) {
    statistics_.scanned(true);
    doubt_losses(topology);
    note_leaks(topology);
    keep_poison(topology);
    recorder_.machine_changes(topology);
    model_.topology = std::move(topology);
    model_.owners = BlockOwners{model_.topology};
    if (model_.scan_error) {
        log_.write(message::scan_works_again, LogLevel::notice, "looking at the machine works again");
        model_.scan_error.reset();
    }
    if (manage_when_seen_) {
        manage_when_seen_ = false;
        manage_auto_online([] {});
    }
    jobs_.end_gone();  // before their devices leave the bus (R7)
    settle_holds();
    keep_auto_online();
    if (started_) refresh();
}

// The kernel does not show which block has a poisoned page; it says so when the block should come online.
void Service::note_poison(const StepReport& report) {
    std::vector<BlockIndex>& poisoned = model_.topology.poisoned;
    for (const BlockFailure& failure : report.failed) {
        if (failure.error.errnum != EHWPOISON) continue;
        const auto at = std::ranges::lower_bound(poisoned, failure.block);
        if (at != poisoned.end() && *at == failure.block) continue;
        poisoned.insert(at, failure.block);
        log_.write(LogLevel::warning,
                   fmt::format("memory block {}: a page of it is poisoned, it stays offline "
                               "until its device is bound anew",
                               failure.block.value()));
    }
}

// A block that is online, or is not there for a while, is no longer the one that was refused.
void Service::keep_poison(Topology& topology) const {
    for (const BlockIndex index : model_.topology.poisoned) {
        const Block* block = find_block(topology, index);
        if (block != nullptr && block->state != BlockState::online) topology.poisoned.push_back(index);
    }
}

void Service::note_leaks(Topology& topology) {
    const LeakBook::News news = leak_book_.update(model_.topology, topology, loop_.now_usec());
    for (const Leak& leak : news.fresh) {
        const auto blocks = present_blocks(topology, leak.range);
        const auto online = std::ranges::count_if(
            blocks, [](const Block& block) { return block.state != BlockState::offline; });
        log_.write(
            message::memory_leaked, LogLevel::warning,
            fmt::format(
                "{}: the device has gone while memory of it was in use: {} in {} memory blocks from {} "
                "on node {} ({} online) are leaked{}: nobody can take them offline or give them back "
                "before a reboot",
                leak.dax, size_words(Bytes{blocks.size() * topology.block_size.value()}), blocks.size(),
                blocks.empty() ? 0 : blocks.front().index.value(),
                blocks.empty() ? -1 : blocks.front().node.value(), online,
                leak.memdevs.empty() ? ", and the card that carried them has gone"
                                     : ", and the kernel goes on using them"),
            {{"CXLMEMD_DEVICE", leak.dax}});
    }
    if (news.unsaved) log_.write(LogLevel::error, "what is known of leaked memory: " + news.unsaved->text());
    if (!news.any_doubtful) {
        leak_doubt_.reset();
    } else if (!leak_doubt_) {
        leak_doubt_ = loop_.add_timer(LeakBook::doubt_usec, [this] {
            leak_doubt_.reset();
            scanner_.look_again();
        });
    }
}

// Blocks between states, what cannot be read, and what waits for memory or for another process.
bool Service::something_may_pass() const {
    const auto between = [](const Block& block) {
        return block.state != BlockState::online && block.state != BlockState::offline;
    };
    const auto may_pass = [](const Decision& decision) {
        if (decision.verdict != Verdict::blocked || !decision.plan.blocked) return false;
        const ErrorCode code = decision.plan.blocked->code;
        return code == ErrorCode::conflict || code == ErrorCode::busy || code == ErrorCode::failed;
    };
    return !model_.topology.unreadable.empty() || std::ranges::any_of(model_.topology.blocks, between) ||
           (!model_.observing() && model_.blocked != 0 && std::ranges::any_of(model_.decisions, may_pass));
}

void Service::look_again_at_what_passes() {
    if (!something_may_pass()) {
        passing_again_.reset();
        passing_pause_usec_ = 0;
        return;
    }
    if (passing_again_ || stopping_) return;
    passing_pause_usec_ =
        std::clamp(passing_pause_usec_ * 2, first_passing_pause_usec, longest_passing_pause_usec);
    passing_again_ = loop_.add_timer(passing_pause_usec_, [this] {
        passing_again_.reset();
        scanner_.look_again();
    });
}

// The kernel takes the driver link away first and kmem's blocks after it: a proper unbind looks for a while
// like leaked memory, and longer if it waits for the hotplug lock. With a block online it is leaked for
// certain; else it is, if it stays so.
void Service::doubt_losses(Topology& topology) {
    model_.doubtful.clear();
    std::erase_if(losses_, [&](const auto& entry) {
        const DaxDevice* device = find_dax(topology, entry.second.device);
        return device == nullptr || !reboot_required(topology, *device);
    });
    for (DaxDevice& device : topology.dax_devices) {
        if (!reboot_required(topology, device)) continue;
        Loss& loss = losses_[device.id.name];
        loss.device = device.id;
        const auto blocks = present_blocks(topology, device);
        if (std::ranges::any_of(blocks, [](const Block& b) { return b.state != BlockState::offline; })) {
            loss.certain = true;
        }
        if (loss.certain) continue;
        device.mode = DaxMode::system_ram;  // as it was before the unbind that is under way
        model_.doubtful.insert(device.id.name);
        const bool fewer = blocks.size() < loss.blocks;
        loss.blocks = blocks.size();
        if (!loss.doubt || fewer) doubt(device.id.name, loss);
    }
}

void Service::doubt(const std::string& dax, Loss& loss) {
    loss.doubt = loop_.add_timer(doubt_usec, [this, dax] {
        const auto found = losses_.find(dax);
        if (found == losses_.end()) return;
        const auto& all = model_.topology.blocks;
        const bool lock_is_held =
            std::ranges::find(all, BlockState::going_offline, &Block::state) != all.end();
        found->second.certain = !lock_is_held;
        if (lock_is_held) doubt(dax, found->second);
        scanner_.look_again();
    });
}

BlockChange Service::take_blocks(const std::vector<BlockIndex>& looked_at, const std::vector<Block>& found) {
    recorder_.blocks_change(found);
    BlockChange change = exchange_blocks(model_.topology, model_.owners, looked_at, found);
    if (!change.changed) return change;
    if (!is_local(change)) {
        refresh();
        return change;
    }
    const auto difference = static_cast<std::uint64_t>(change.online) * model_.topology.block_size.value();
    totals_.devices.bytes_online =
        Bytes{totals_.devices.bytes_online.value() + difference};  // modulo 2^64: it may be less
    refreshing_ = true;
    reconciler_.decide_and_act(change.devices);
    refreshing_ = false;
    publish(change);
    return change;
}

// A block among thousands: what it means for its own device and node is all that there is to it.
bool Service::is_local(const BlockChange& change) const {
    if (stopping_ || !started_ || refreshing_ || change.structural || change.node_turned) return false;
    const Topology& topology = model_.topology;
    if (!model_.bound_stand_alone || model_.decisions.size() != topology.dax_devices.size()) return false;
    return std::ranges::all_of(change.devices, [&](std::size_t i) {
        const DaxDevice& device = topology.dax_devices[i];
        const Memdev* card = card_to_be_pulled(model_.holds, topology, device);
        if (card != nullptr && model_.holds.cards.at(card_of(*card)) == CardState::ready)
            return false;  // CardWatch says so
        return device.mode == DaxMode::system_ram && model_.decisions[i].device == device.id &&
               !model_.doubtful.contains(device.id.name);
    });
}

void Service::refresh() {
    if (stopping_ || !started_ || refreshing_) return;
    refreshing_ = true;
    reconciler_.decide_and_act();
    tuner_.act();
    provisioner_.act();
    card_watch_.look();
    refreshing_ = false;
    publish();
    look_again_at_what_passes();
}

void Service::log_problems(const std::vector<Problem>& problems) {
    std::size_t count = 0;
    for (const Problem& problem : problems) {
        if (count++ == most_logged_problems) {
            log_.write(LogLevel::warning, std::to_string(problems.size() - most_logged_problems) +
                                              " more problems; cxlmemctl check shows them");
            return;
        }
        log_.write(
            message::policy_problem,
            problem.severity == Severity::error ? LogLevel::error : LogLevel::warning, to_string(problem),
            {{"CXLMEMD_FILE", problem.place.file}, {"CXLMEMD_LINE", std::to_string(problem.place.line)}});
    }
}

}  // namespace cxlmemd
