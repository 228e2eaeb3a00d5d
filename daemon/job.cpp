#include "daemon/job.h"

namespace cxlmemd {

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::waiting: return "waiting";
        case JobState::running: return "running";
        case JobState::finished: return "finished";
    }
    return "finished";
}

std::string_view to_string(JobResult result) {
    switch (result) {
        case JobResult::none: return "";
        case JobResult::done: return "done";
        case JobResult::partial: return "partial";
        case JobResult::canceled: return "canceled";
        case JobResult::timeout: return "timeout";
        case JobResult::failed: return "failed";
        case JobResult::gone: return "gone";
    }
    return "failed";
}

JobResult result_of(StopReason reason) {
    return reason == StopReason::timeout ? JobResult::timeout : JobResult::canceled;
}

}  // namespace cxlmemd
