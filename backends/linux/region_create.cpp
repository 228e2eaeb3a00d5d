// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/region_create.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "backends/linux/cxl_ports.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

constexpr const char* operation = "create region";

std::string create_attribute(RegionType type) {
    return type == RegionType::pmem ? "create_pmem_region" : "create_ram_region";
}

Error cannot(ErrorCode code, std::string object, std::string reason) {
    return {.code = code,
            .object = std::move(object),
            .operation = operation,
            .errnum = 0,
            .reason = std::move(reason),
            .advice = {}};
}

Error not_written(const std::string& device, const std::string& attribute, const std::string& value,
                  int errnum) {
    Error error = cannot(code_of_errno(errnum), device,
                         fmt::format("the kernel did not take '{}' for {}", value, attribute));
    error.errnum = errnum;
    if (errnum == EACCES || errnum == EPERM || errnum == EROFS) {
        error.advice = "it takes root and write access to /sys/devices and /sys/bus/cxl";
    }
    return error;
}

// The first of an endpoint's decoders that holds no capacity: the kernel gives capacity out in order of
// the decoders (drivers/cxl/core/hdm.c, cxl_dpa_alloc()).
std::optional<std::string> free_decoder(const std::string& endpoint) {
    std::vector<std::pair<std::uint64_t, std::string>> decoders;
    for (const std::string& name : sysfs::names_in(endpoint)) {
        const auto dot = name.rfind('.');
        if (!name.starts_with("decoder") || dot == std::string::npos) continue;
        if (const auto number = sysfs::to_number(name.substr(dot + 1), 10))
            decoders.emplace_back(*number, name);
    }
    std::ranges::sort(decoders);
    for (const auto& [number, name] : decoders) {
        if (sysfs::read_number(endpoint + "/" + name + "/dpa_size") == 0U) return name;
    }
    return std::nullopt;
}

}  // namespace

std::string RegionCreate::file(const std::string& device, const std::string& attribute) const {
    return paths_.cxl_devices() + "/" + device + "/" + attribute;
}

Result<> RegionCreate::write(const std::string& device, const std::string& attribute,
                             const std::string& value) const {
    if (const auto done = sysfs::write(file(device, attribute), value); !done) {
        return fail(not_written(device, attribute, value, done.error()));
    }
    return {};
}

Result<RegionDraft> RegionCreate::draft(const RegionOrder& order) const {
    const auto name = sysfs::read(file(order.root_decoder, create_attribute(order.type)));
    if (!name) {
        const bool missing = name.error() == ENOENT && sysfs::exists(file(order.root_decoder, "size"));
        Error error =
            cannot(missing ? ErrorCode::not_supported : code_of_errno(name.error()), order.root_decoder,
                   missing ? fmt::format("it makes no {} regions", to_string(order.type))
                           : "the root decoder has gone");
        error.errnum = name.error();
        return fail(std::move(error));
    }
    const Endpoints endpoints = read_endpoints(paths_);
    RegionDraft out{.order = order,
                    .trace = {.region = *name, .root_decoder = order.root_decoder, .decoders = {}}};
    for (const RegionMember& member : order.members) {
        if (sysfs::inode(paths_.cxl_devices() + "/" + member.memdev) != member.generation) {
            return fail(cannot(ErrorCode::gone, member.memdev,
                               "the memdev is not the one this was meant for any more"));
        }
        const auto endpoint = endpoints.find(member.memdev);
        if (endpoint == endpoints.end()) {
            return fail(cannot(ErrorCode::busy, member.memdev, "the kernel has not set up its port yet"));
        }
        const auto decoder = free_decoder(endpoint->second);
        if (!decoder) {
            return fail(cannot(ErrorCode::busy, member.memdev, "none of its decoders is free"));
        }
        out.trace.decoders.push_back(*decoder);
    }
    return out;
}

Result<> RegionCreate::attach(const RegionDraft& draft, std::size_t position) const {
    const std::string& decoder = draft.trace.decoders[position];
    const std::uint64_t share = draft.order.size.value() / draft.order.members.size();
    if (auto done = write(decoder, "mode", std::string{to_string(draft.order.type)}); !done) return done;
    if (auto done = write(decoder, "dpa_size", std::to_string(share)); !done) return done;
    return write(draft.trace.region, fmt::format("target{}", position), decoder);
}

// The region exists; whatever fails here is taken back by the caller.
Result<> RegionCreate::set_up(const RegionDraft& draft) const {
    const std::string& region = draft.trace.region;
    const auto put = [&](const char* attribute, const std::string& value) {
        return write(region, attribute, value);
    };
    if (auto done = put("interleave_granularity", std::to_string(draft.order.interleave_granularity)); !done)
        return done;
    if (auto done = put("interleave_ways", std::to_string(draft.order.members.size())); !done) return done;
    if (draft.order.type == RegionType::pmem) {  // which the kernel gives no size without a uuid
        const auto uuid = sysfs::read(paths_.proc + "/sys/kernel/random/uuid");
        if (!uuid) return fail(not_written(region, "uuid", "", uuid.error()));
        if (auto done = put("uuid", *uuid); !done) return done;
    }
    if (auto done = put("size", std::to_string(draft.order.size.value())); !done) return done;
    for (std::size_t i = 0; i < draft.trace.decoders.size(); ++i) {
        if (auto done = attach(draft, i); !done) return done;
    }
    if (auto done = put("commit", "1"); !done) return done;
    const std::string bind = paths_.sys + "/bus/cxl/drivers/cxl_region/bind";
    const auto bound = sysfs::write(bind, region);
    // udev, or drivers_autoprobe, may have been faster.
    if (!bound && !sysfs::exists(file(region, "driver"))) {
        return fail(not_written(region, "cxl_region/bind", region, bound.error()));
    }
    return {};
}

Result<> RegionCreate::create(const RegionDraft& draft) const {
    const std::string attribute = create_attribute(draft.order.type);
    // Fails if another process has taken the name since it was read: then nothing is ours to take back.
    if (auto made = write(draft.order.root_decoder, attribute, draft.trace.region); !made) return made;
    auto done = set_up(draft);
    if (done) return {};
    if (const auto undone = clear(draft.trace); !undone) {
        done.error().advice = "what was made of it could not be taken back: " + undone.error().text();
    }
    return done;
}

// Half made, and by the creation that the trace is of: without driver, and with no decoder but its own.
bool RegionCreate::is_ours(const RegionTrace& trace) const {
    if (!sysfs::exists(file(trace.region, "commit"))) return false;
    if (sysfs::exists(file(trace.region, "driver"))) return false;
    for (std::size_t i = 0; i < trace.decoders.size(); ++i) {
        const auto target = sysfs::read(file(trace.region, fmt::format("target{}", i)));
        if (!target || target->empty()) continue;
        if (std::ranges::find(trace.decoders, *target) == trace.decoders.end()) return false;
    }
    return true;
}

Result<> RegionCreate::clear(const RegionTrace& trace) const {
    std::optional<Error> first;
    const auto note = [&](const Result<>& done) {
        if (!done && !first) first = done.error();
    };
    if (is_ours(trace)) {
        if (sysfs::read(file(trace.region, "commit")).value_or("0") != "0")
            note(write(trace.region, "commit", "0"));
        // The decoders are let go with it.
        note(write(trace.root_decoder, "delete_region", trace.region));
    }
    for (auto decoder = trace.decoders.rbegin(); decoder != trace.decoders.rend(); ++decoder) {
        const auto held = sysfs::read_number(file(*decoder, "dpa_size"));
        const auto region = sysfs::read(file(*decoder, "region"));
        if (held.value_or(0) == 0 || !region || !region->empty()) continue;
        note(write(*decoder, "dpa_size", "0"));
    }
    if (first) return fail(*first);
    return {};
}

}  // namespace cxlmemd
