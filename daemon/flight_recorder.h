// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps what happens, so that an incident can be told, and replayed, afterwards: the machine, what others did
// to it, what was decided, what the kernel answered, which policy was in force. Loop thread; the writing is
// flight_ring's.
//
// A line is a JSON object with `t` (microseconds since 1970), `m` (CLOCK_MONOTONIC) and `what`. incident.h
// reads them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/record.h"
#include "daemon/configuration.h"
#include "daemon/flight_ring.h"
#include "daemon/happenings.h"
#include "daemon/job.h"
#include "daemon/json_text.h"
#include "daemon/kernel_answers.h"
#include "daemon/log.h"
#include "daemon/model.h"
#include "dbus/requests.h"

namespace cxlmemd {

class FlightRecorder final {
 public:
    struct Place {
        std::filesystem::path state_dir;
        emulator::RecordedBy by;
        std::string boot_id;
    };
    // Nothing is recorded before begin(). `answers` are those of the worker; all outlive the recorder.
    FlightRecorder(EventLoop& loop, KernelAnswers& answers, const Model& model, const Log& log, Place place);

    // The model has its first topology and its policy; `text` is the policy's, for a replay.
    void begin(const ConfigText& text);
    // Another policy came into force.
    void policy(const ConfigText& text);
    // The model's topology is about to be replaced.
    void machine_changes(const Topology& next);
    // Blocks of the model's topology are about to be replaced by these.
    void blocks_change(const std::vector<Block>& found);
    void decided(const Decision& decision);
    void job_added(const Job& job);
    void job_ended(const Job& job);
    // Somebody called the daemon, whatever comes of it.
    void called(const CallerAsk& ask, std::uint32_t uid = 0);
    void end();

    // An incident from options.since_usec, which is set, until now; see incident.h.
    void incident(const bus::RecordOptions& options, std::function<void(Result<std::string>)> then);

 private:
    [[nodiscard]] static JsonObject line(const char* what);
    void put(const JsonObject& json);
    void put(const Happening& happening);
    void put_answers();
    void put_policy(const ConfigText& text);
    void put_machine(const Topology& topology);
    void put_standing();
    void put_decision(const Decision& decision, bool standing);
    // Rotates, goes on after a failure, and makes the machine fresh if it is old and all is quiet.
    void make_room();

    EventLoop& loop_;
    KernelAnswers& answers_;
    const Model& model_;
    const Log& log_;
    const Place place_;
    std::optional<FlightRing> ring_;
    Happenings happenings_;
    ConfigText policy_text_;
    std::uint64_t unfinished_jobs_ = 0;
    std::uint64_t machine_usec_ = 0;  // when it was written last, CLOCK_MONOTONIC
    bool failure_said_ = false;
};

}  // namespace cxlmemd
