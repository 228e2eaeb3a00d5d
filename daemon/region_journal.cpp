// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/region_journal.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <system_error>

#include "daemon/small_file.h"

namespace cxlmemd {

namespace {

// They become parts of paths.
bool is_device_name(const std::string& name) {
    return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
    });
}

}  // namespace

Result<> RegionJournal::begin(const RegionTrace& trace) const {
    std::string text = trace.region + " " + trace.root_decoder;
    for (const std::string& decoder : trace.decoders) text += " " + decoder;
    return replace_small_file(file_, text + "\n");
}

Result<std::optional<RegionTrace>> RegionJournal::unfinished() const {
    auto text = read_small_file(file_);
    if (!text) return fail(text.error());
    if (!text->has_value()) return std::optional<RegionTrace>{};
    RegionTrace trace;
    std::istringstream words{**text};
    words >> trace.region >> trace.root_decoder;
    for (std::string word; words >> word;) trace.decoders.push_back(word);
    if (!is_device_name(trace.region) || !is_device_name(trace.root_decoder) || trace.decoders.empty() ||
        !std::ranges::all_of(trace.decoders, is_device_name)) {
        return fail({.code = ErrorCode::failed,
                     .object = file_.string(),
                     .operation = "read",
                     .errnum = 0,
                     .reason = "it does not say which region was being made",
                     .advice = "look for one that is half made, and remove the file"});
    }
    return std::optional{std::move(trace)};
}

void RegionJournal::end() const {
    std::error_code ec;
    std::filesystem::remove(file_, ec);
}

}  // namespace cxlmemd
