// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/job_commands.h"

#include <fmt/format.h>

#include <unistd.h>

#include <optional>

#include "cli/job_watch.h"
#include "cli/progress.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

void print_started(const std::vector<std::string>& jobs, Output& out) {
    if (out.json()) {
        json list = json::array();
        for (const std::string& job : jobs) list.push_back({{"Path", job}});
        out.document(list);
        return;
    }
    for (const std::string& job : jobs) out.text(escape(job) + "\n");
}

Exit print_ended(const std::vector<json>& jobs, Output& out) {
    std::optional<Exit> exit;
    for (const json& job : jobs) {
        const json error = job.value("Error", json::object());
        const Exit one = exit_of_result(text_of(job, "Result"), text_of(error, "name"));
        exit = exit ? combine(*exit, one) : one;
        if (!out.json()) out.text(job_end_view(job, out.paint()) + "\n");
    }
    if (out.json()) out.document(jobs);
    return exit.value_or(Exit::done);
}

// For the rate that is drawn; 0 if nothing is.
std::uint64_t block_size(Client& client, const Output& out) {
    return out.interactive() ? number_of(client.manager_properties(), "BlockSize") : 0;
}

// Who is not there to be asked leaves them.
JobWatch::OnInterrupt ask_what_now(EventPump& pump, std::size_t jobs, const Output& out) {
    using enum JobWatch::OnInterrupt;
    if (!out.interactive() || isatty(STDIN_FILENO) != 1) return leave;
    const std::string question = fmt::format("\n{}: (c)ancel, (l)eave running, or go on (w)aiting? [l] ",
                                             jobs == 1 ? "the job" : fmt::format("{} jobs", jobs));
    const auto answer = pump.ask(question);
    if (!answer) return leave;
    const char word = answer->front();
    return word == 'c' || word == 'C' ? cancel : word == 'w' || word == 'W' ? wait : leave;
}

}  // namespace

Result<Exit> run_jobs(const Args& args, Client& client, Output& out, const std::function<Started()>& start) {
    client.prepare_to_change();
    const Started started = start();
    if (started.jobs.empty() && started.failure) return tl::unexpected(*started.failure);

    Exit exit = Exit::done;
    if (args.no_block) {
        print_started(started.jobs, out);
    } else if (started.jobs.empty() && !out.json()) {
        out.text("nothing to do\n");
    } else {
        JobWatch watch(client);
        ProgressLine line(out.interactive(), block_size(client, out));
        const auto ended = watch.wait(
            started.jobs, [&](const std::vector<json>& now) { line.draw(now); },
            [&](EventPump& pump) {
                line.clear();
                return ask_what_now(pump, started.jobs.size(), out);
            });
        line.clear();
        if (!ended) return tl::unexpected(ended.error());
        exit = print_ended(*ended, out);
    }
    if (!started.failure) return exit;
    out.error(started.failure->message);
    return combine(exit, started.failure->code);
}

}  // namespace cxlmemctl
