// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon's objects as metrics. Pure.
//
// OpenMetrics 1.0 text that Prometheus's older text format reads as well, which is all that the textfile
// collector of node_exporter takes (counters have no type there): gauges and counters, in base units.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/objects.h"

namespace cxlmemctl {

struct Sample {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

struct Family {
    std::string name;
    std::string help;
    std::vector<Sample> samples;
    bool is_counter = false;  // its samples are called NAME_total
};

// What is not known has no sample: it is not 0.
[[nodiscard]] std::vector<Family> metrics_of(const nlohmann::json& manager, const Objects& objects);
// Of a daemon that is not there.
[[nodiscard]] std::vector<Family> metrics_of_nobody();

[[nodiscard]] std::string metrics_text(const std::vector<Family>& families);
[[nodiscard]] nlohmann::json metrics_json(const std::vector<Family>& families);

}  // namespace cxlmemctl
