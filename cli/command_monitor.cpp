// SPDX-License-Identifier: LGPL-2.1-or-later
#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/event_pump.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

std::int64_t now_usec() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

// Prints each event at once, as a line.
class EventPrinter final {
 public:
    explicit EventPrinter(Output& out) : out_(out) {}

    void print(const char* kind, const std::string& object, json details = json::object()) {
        details["Event"] = kind;
        details["Object"] = object;
        details["TimeUsec"] = now_usec();
        if (out_.json()) {
            out_.document(details, true);
        } else {
            out_.text(event_view(details, out_.paint()));
        }
        written_ = out_.flush() && written_;
    }
    [[nodiscard]] bool written() const { return written_; }

 private:
    Output& out_;
    bool written_ = true;
};

ManagerEvents events_to(EventPrinter& printer) {
    ManagerEvents events;
    events.job_new = [&](const std::string& job, const std::string& object) {
        printer.print("job-new", object, {{"Job", job}});
    };
    events.job_removed = [&](const std::string& job, const std::string& object, const std::string& result) {
        printer.print("job-removed", object, {{"Job", job}, {"Result", result}});
    };
    events.decision = [&](const std::string& object, const json& details) {
        printer.print("decision", object, {{"Details", details}});
    };
    events.added = [&](const std::string& path) { printer.print("added", path); };
    events.removed = [&](const std::string& path) { printer.print("removed", path); };
    return events;
}

}  // namespace

Result<Exit> monitor(const Args& /*args*/, Client& client, Output& out) {
    EventPrinter printer(out);
    client.manager().listen(events_to(printer));
    client.on_properties_changed(root_path, [&](const std::string& path, const json& changed) {
        printer.print("changed", path, {{"Properties", changed}});
    });
    // The daemon may be started again: its events are shown as before.
    const std::string root(root_path);
    client.on_owner_changed([&](bool present) { printer.print(present ? "started" : "stopped", root); });

    EventPump pump(client.connection());
    printer.print("listening", root);
    pump.drain();
    while (printer.written()) {
        if (pump.turn() == EventPump::Woken::interrupted) break;
    }
    return Exit::done;
}

}  // namespace cxlmemctl
