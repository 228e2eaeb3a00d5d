// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon's one owner: holds the model, answers requests, and ties scanner, jobs and reconciler
// together. Loop thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backends/emulator/record.h"
#include "daemon/auto_online_keeper.h"
#include "daemon/card_watch.h"
#include "daemon/checker.h"
#include "daemon/clock.h"
#include "daemon/config_files.h"
#include "daemon/config_watch.h"
#include "daemon/configuration.h"
#include "daemon/event_loop.h"
#include "daemon/facts_builder.h"
#include "daemon/flight_recorder.h"
#include "daemon/fresh_look.h"
#include "daemon/hold_book.h"
#include "daemon/jobs.h"
#include "daemon/leak_book.h"
#include "daemon/log.h"
#include "daemon/model.h"
#include "daemon/provisioner.h"
#include "daemon/reconciler.h"
#include "daemon/scanner.h"
#include "daemon/statistics.h"
#include "daemon/tuner.h"
#include "daemon/worker.h"
#include "dbus/requests.h"
#include "dbus/tree.h"
#include "policy/block_change.h"

namespace cxlmemd {

struct ServiceOptions {
    ConfigPaths config;
    std::filesystem::path state_dir;
    std::filesystem::path runtime_dir;
    std::string boot_id{};  // the kernel's random/boot_id; empty if it is not known
    bool observe = false;
    emulator::RecordedBy recorded_by;  // for the head of a record
};

class Service final : public bus::Requests {
 public:
    // `status` takes a line for the service manager.
    Service(EventLoop& loop, Clock& clock, Worker& worker, std::unique_ptr<EventSource> events, Log& log,
            ServiceOptions options, std::function<void(const std::string&)> status);
    ~Service() override;

    // Shows on `tree` what there is, and what changes; the daemon does the same work without one. `on_broken`
    // runs, later, if the bus does not take what the tree has to say; nothing is told to it from then on.
    void attach(bus::Tree& tree, std::function<void()> on_broken);
    // The tree is about to go.
    void detach();

    // Reads settings, policy and holds, looks at the machine; `ready` runs when everything is shown on the
    // tree. Policy is carried out once it has called `act`.
    using Ready = std::function<void(std::function<void()> act)>;
    void start(Ready ready);

    // For --plan: the same, but nothing is ever carried out.
    void start_to_plan(std::function<void()> ready);

    // Ends running work after its block, puts auto_online_blocks back; then `done`. Changes no memory.
    void stop(std::function<void()> done);

    void reload(bus::Viewer viewer, Then<std::uint64_t> then) override;
    void check_policy(std::vector<SourceFile> files, std::uint32_t uid, Checked then) override;
    bus::EffectivePolicy effective_policy(bool in_force, bus::Viewer viewer) override;
    void plan(bus::Viewer viewer, Then<std::vector<bus::PlanEntry>> then) override;
    void apply(std::uint32_t uid, Then<std::vector<std::uint32_t>> then) override;
    void explain(const bus::ObjectName& object, bus::Viewer viewer, Then<bus::Explanation> then) override;
    void record(const bus::RecordOptions& options, Then<std::string> then) override;
    std::vector<bus::Statistic> statistics() const override { return statistics_.all(); }
    bus::Deeds deeds_of_online(const std::string& dax, const std::string& zone,
                               const bus::OperationOptions& options) override;
    bus::Deeds deeds_of_set_mode(const std::string& dax, const std::string& mode) override;
    void online(const std::string& dax, const std::string& zone, const bus::OperationOptions& options,
                std::uint32_t uid, Then<std::uint32_t> then) override;
    void offline(const std::string& dax, const bus::OperationOptions& options, std::uint32_t uid,
                 Then<std::uint32_t> then) override;
    void set_mode(const std::string& dax, const std::string& mode, const bus::OperationOptions& options,
                  std::uint32_t uid, Then<std::uint32_t> then) override;
    void remove_region(const std::string& region, const bus::OperationOptions& options, std::uint32_t uid,
                       Then<std::uint32_t> then) override;
    void prepare_remove(const std::string& memdev, const bus::OperationOptions& options, std::uint32_t uid,
                        Then<std::uint32_t> then) override;
    Result<> hold(const std::string& dax) override;
    Result<> release(const std::string& dax) override;
    Result<> release_region(const std::string& region) override;
    Result<> release_memdev(const std::string& memdev) override;
    Result<> cancel(std::uint32_t job) override;

    [[nodiscard]] const Model& model() const { return model_; }
    // From the last scan.
    [[nodiscard]] std::vector<bus::PlanEntry> planned(bus::Viewer viewer) const;
    // A job has not ended yet.
    [[nodiscard]] bool working() const { return jobs_.any_unfinished(); }

 private:
    // Lets the tree say something, if there is one; no error of the bus gets past here.
    void tell(const std::function<void(bus::Tree&)>& say);

    JobHooks job_hooks();
    Scanner::Hooks scanner_hooks();

    void load_at_start();
    void watch_configuration();
    void configuration_edited();
    void show_configuration();  // in the model
    std::uint64_t put_in_force();
    void take_topology(Topology topology);
    struct Loss;
    void doubt_losses(Topology& topology);
    void doubt(const std::string& dax, Loss& loss);
    void note_leaks(Topology& topology);
    void note_poison(const StepReport& report);
    void keep_poison(Topology& topology) const;
    void look_again_at_what_passes();
    [[nodiscard]] bool something_may_pass() const;
    void keep_auto_online();
    void show_new_jobs();
    BlockChange take_blocks(const std::vector<BlockIndex>& looked_at, const std::vector<Block>& found);
    [[nodiscard]] bool is_local(const BlockChange& change) const;
    void refresh();  // decide, act, publish
    void publish();
    void publish(const BlockChange& change);  // of a local one: the same, for less
    [[nodiscard]] bool is_working() const;
    void tell_status(bool working);
    void publish_soon();
    // `then` runs when the kernel has been told, or at once if there is nothing to tell.
    void manage_auto_online(std::function<void()> then);
    // The number of the task that does it.
    std::uint64_t put_auto_online_back(std::function<void()> then);
    // auto_online_blocks will read so when the worker has come to it; the number of the request.
    std::uint64_t auto_online_is_asked(AutoOnline value);
    void auto_online_answered(std::uint64_t ask);
    void interrupt_until(std::uint64_t last_task);
    void log_problems(const std::vector<Problem>& problems);

    [[nodiscard]] Result<> may_apply() const;
    Result<std::vector<std::uint32_t>> apply_now(std::uint32_t uid);
    Result<std::uint64_t> reload_now(bus::Viewer viewer);
    Result<bus::Explanation> explained(const bus::ObjectName& object, bus::Viewer viewer) const;
    Result<bus::Explanation> explain_hardware(const bus::ObjectName& object) const;
    Result<bus::Explanation> explain_dax(const std::string& dax, bus::Viewer viewer) const;
    Result<const DaxDevice*> device(const std::string& dax, const char* operation) const;
    Result<Goal> online_goal(const DaxDevice& device, const std::string& zone,
                             const bus::OperationOptions& options) const;
    Result<Goal> offline_goal(const DaxDevice& device) const;
    Result<Goal> mode_goal(const DaxDevice& device, const std::string& mode) const;
    // A caller's job for a dax device. `goal`: from the device as it is.
    struct DeviceCall {
        std::string operation;
        std::function<Result<Goal>(const DaxDevice&)> goal;
        bool whole_drain = false;
        bus::Deeds allowed;  // what the method's own right covers
        bus::OperationOptions options;
        std::uint32_t uid = 0;
    };
    void start_for(const std::string& dax, DeviceCall call, Then<std::uint32_t> then);
    Result<std::uint32_t> start_job(const DaxDevice& device, const DeviceCall& call, bool looked);
    // removals.cpp
    void start_removal(const std::string& operation, JobTarget target, const bus::OperationOptions& options,
                       std::uint32_t uid, Then<std::uint32_t> then);
    Result<std::uint32_t> remove_now(JobOrder order, const bus::OperationOptions& options);
    Result<> mark_removal(std::uint32_t job, const JobTarget& target);
    // holding.cpp
    Result<> release(const std::vector<std::string>& devices, const std::vector<std::string>& keys,
                     const std::vector<CardKey>& cards);
    void log_ended_preparations(const std::map<CardKey, CardState>& before);
    void removal_ended(const Job& job);
    void give_hold_back(const Job& job);
    bool close_removals();  // false: something could not be saved
    void settle_holds();
    void say_unsaved(const Error& error);

    const Decision* decision_for(const std::string& dax) const;

    EventLoop& loop_;
    Worker& worker_;
    Log& log_;
    const ServiceOptions options_;
    std::function<void(const std::string&)> status_;
    bus::Tree* tree_ = nullptr;
    std::function<void()> on_broken_;
    EventLoop::Source broken_;
    Clock& clock_;
    HoldBook book_;
    Model model_;
    Totals totals_;  // of the model, as published
    Configuration configuration_;
    std::unique_ptr<ConfigWatch> config_watch_;
    bool edit_is_unsaid_ = false;  // read while somebody was at it
    AutoOnlineKeeper keeper_;
    Checker checker_;
    FlightRecorder recorder_;
    std::optional<AutoOnline> auto_online_asked_;  // until a scan has seen it
    std::uint64_t auto_online_asks_ = 0;
    bool manage_when_seen_ = false;  // the first scan failed: nobody knew what auto_online_blocks reads
    Statistics statistics_;
    Jobs jobs_;
    DriftBook drift_book_;
    Reconciler reconciler_;
    Scanner scanner_;
    FreshLook fresh_look_;
    Tuner tuner_;
    Provisioner provisioner_;
    CardWatch card_watch_;
    std::function<void()> on_stopped_;
    struct Loss {
        DaxIdentity device;
        bool certain = false;
        std::size_t blocks = 0;  // of it, when they were last looked at
        EventLoop::Source doubt;
    };
    // What a removal has marked in the book, until its job has ended and that is saved.
    struct Removal {
        std::variant<HoldBook::Preparation, HoldBook::RegionRemoval> marks;
        std::optional<bool> succeeded;  // when the job has ended
    };
    std::optional<Error> unsaved_;                      // of the book, as last said
    std::map<std::uint32_t, Removal> removals_;         // by job; what is left at the end undoes itself
    std::map<std::uint32_t, std::string> taken_holds_;  // by job that took it: the key
    std::map<std::string, Loss> losses_;                // devices that look as if their memory were lost
    LeakBook leak_book_;
    EventLoop::Source leak_doubt_;
    // While something is blocked, between states, or unreadable: no event tells that it no longer is.
    EventLoop::Source passing_again_;
    std::uint64_t passing_pause_usec_ = 0;
    std::vector<std::uint32_t> new_jobs_;  // on the bus behind their devices
    std::uint32_t auto_online_undone_ = 0;
    std::uint64_t auto_online_since_usec_ = 0;  // when we wrote it last
    bool started_ = false;                      // the first topology is in force
    bool stopping_ = false;
    bool refreshing_ = false;
    std::string last_status_;
    EventLoop::Source interrupter_;
    EventLoop::Source give_up_;
    EventLoop::Source publish_soon_;
};

}  // namespace cxlmemd
