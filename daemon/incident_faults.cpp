// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/incident_faults.h"

namespace cxlmemd {

namespace {

// Faults of these can be told apart by their device.
bool takes_dax(const std::string& operation) {
    return operation == "set_mode" || operation == "set_hotplug_state";
}

}  // namespace

void FaultHistory::add(const RecordedAnswer& answer) {
    const std::string dax = answer.block || takes_dax(answer.operation) ? answer.object : std::string{};
    for (std::uint64_t i = 0; i < (answer.block ? answer.blocks : 1); ++i) {
        const Key key{answer.operation, dax, answer.block ? std::optional{*answer.block + i} : std::nullopt};
        Calls& calls = calls_[key];
        ++calls.made;
        if (answer.errnum == 0) continue;
        if (calls.runs.empty()) order_.push_back(key);
        RecordedFault* last = calls.runs.empty() ? nullptr : &calls.runs.back();
        if (last != nullptr && last->errnum == answer.errnum && calls.last_failed + 1 == calls.made) {
            ++last->count;
        } else {
            calls.runs.push_back({.operation = answer.operation,
                                  .dax = dax,
                                  .block = std::get<2>(key),
                                  .errnum = answer.errnum,
                                  .nth = calls.made,
                                  .count = 1});
        }
        calls.last_failed = calls.made;
    }
}

std::vector<RecordedFault> FaultHistory::faults() const {
    std::vector<RecordedFault> out;
    for (const Key& key : order_) {
        const Calls& calls = calls_.at(key);
        for (const RecordedFault& run : calls.runs) out.push_back(run);
        if (calls.last_failed == calls.made) out.back().count = 0;
    }
    return out;
}

}  // namespace cxlmemd
