// SPDX-License-Identifier: LGPL-2.1-or-later
// A volatile region over the whole of one card, made and removed through raw sysfs
// (Documentation/driver-api/cxl, Documentation/ABI/testing/sysfs-bus-cxl). For linux_machine.cpp.
#pragma once

#include <poll.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backends/linux/sysfs.h"
#include "backends/linux/udev_events.h"
#include "policy/error.h"

namespace cxlmemd::contract {

inline const std::string cxl = "/sys/bus/cxl/devices/";
inline const std::string dax_bus = "/sys/bus/dax/";
inline const std::string memory = "/sys/devices/system/memory/";

inline Result<> put(const std::string& file, std::string_view value) {
    const auto done = sysfs::write(file, value);
    if (done) return {};
    return fail({.code = code_of_errno(done.error()),
                 .object = file,
                 .operation = "write " + std::string(value),
                 .errnum = done.error(),
                 .reason = "the kernel refused"});
}

inline Error problem(const std::string& what, ErrorCode code = ErrorCode::failed) {
    return {.code = code, .object = "contract machine", .reason = what};
}

// What comes and goes on its own time is waited for with the kernel's events, a minute at most.
class Waiter final {
 public:
    bool until(const std::function<bool()>& condition) {
        constexpr int most_events = 6000;
        for (int i = 0; i < most_events; ++i) {
            if (condition()) return true;
            pollfd one{.fd = events_.fd(), .events = POLLIN, .revents = 0};
            (void)::poll(&one, 1, 100);  // something may have no event of its own
            if (one.revents == 0 && i > 600) return false;
            (void)events_.take();
        }
        return false;
    }

 private:
    UdevEvents events_;
};

// Serial -> memdev.
inline std::map<std::uint64_t, std::string> cards() {
    std::map<std::uint64_t, std::string> out;
    for (const std::string& name : sysfs::names_in(cxl)) {
        if (!sysfs::number_after(name, "mem")) continue;
        if (const auto serial = sysfs::read_number(cxl + name + "/serial")) out[*serial] = name;
    }
    return out;
}

inline std::string endpoint_of(const std::string& memdev) {
    for (const std::string& name : sysfs::names_in(cxl)) {
        if (name.starts_with("endpoint") && sysfs::link_name(cxl + name + "/uport") == memdev) return name;
    }
    return {};
}

// The first endpoint decoder without capacity: the kernel wants them taken in order.
inline std::string free_decoder_of(const std::string& memdev) {
    const std::string endpoint = endpoint_of(memdev);
    std::map<std::uint64_t, std::string> free;
    for (const std::string& name : sysfs::names_in(cxl + endpoint)) {
        const std::size_t dot = name.find('.');
        if (!name.starts_with("decoder") || dot == std::string::npos) continue;
        if (sysfs::read_number(cxl + name + "/dpa_size") == 0)
            free[*sysfs::to_number(name.substr(dot + 1))] = name;
    }
    return free.empty() ? std::string{} : free.begin()->second;
}

inline std::string ram_root_decoder() {
    for (const std::string& name : sysfs::names_in(cxl)) {
        if (sysfs::exists(cxl + name + "/create_ram_region")) return name;
    }
    return {};
}

class CardRegion final {
 public:
    explicit CardRegion(std::uint64_t serial) : serial_(serial) {}
    // One that is there already.
    explicit CardRegion(const std::string& name)
        : serial_(0), region_(name), decoder_(sysfs::read(cxl + name + "/target0").value_or("")) {}

    [[nodiscard]] const std::string& name() const { return region_; }
    [[nodiscard]] std::string dax() const {
        for (const std::string& folder : sysfs::names_in(cxl + region_)) {
            if (!folder.starts_with("dax_region")) continue;
            for (const std::string& device : sysfs::names_in(cxl + region_ + "/" + folder)) {
                if (device.starts_with("dax") && device.find('.') != std::string::npos) return device;
            }
        }
        return {};
    }

    // The folders of the blocks that the region's addresses make, whether they exist or not.
    [[nodiscard]] std::vector<std::string> blocks() const {
        const auto start = sysfs::read_number(cxl + region_ + "/resource").value_or(0);
        const auto size = sysfs::read_number(cxl + region_ + "/size").value_or(0);
        const auto block = sysfs::read_number(memory + "block_size_bytes", 16).value_or(1);
        std::vector<std::string> out;
        for (std::uint64_t i = start / block; i < (start + size) / block; ++i) {
            out.push_back(memory + "memory" + std::to_string(i));
        }
        return out;
    }

    // Comes back when the dax device is bound to kmem (since 7.3 that is later than the write to bind).
    // Without a size it is all of the card.
    Result<> make(const std::string& wanted_size = {}) {
        const std::string memdev = cards()[serial_];
        if (!waiter_.until([&] { return !endpoint_of(memdev).empty(); }))
            return fail(problem("no endpoint port"));
        const std::string root = cxl + ram_root_decoder();
        const auto name = sysfs::read(root + "/create_ram_region");
        const auto size = wanted_size.empty() ? sysfs::read(cxl + memdev + "/ram/size") : wanted_size;
        const std::string decoder = free_decoder_of(memdev);
        if (!name || !size || decoder.empty()) return fail(problem("no room for a region on " + memdev));
        const std::string at = cxl + *name;
        const std::pair<std::string, std::string> steps[] = {{root + "/create_ram_region", *name},
                                                             {at + "/interleave_granularity", "256"},
                                                             {at + "/interleave_ways", "1"},
                                                             {at + "/size", *size},
                                                             {cxl + decoder + "/mode", "ram"},
                                                             {cxl + decoder + "/dpa_size", *size},
                                                             {at + "/target0", decoder},
                                                             {at + "/commit", "1"},
                                                             {"/sys/bus/cxl/drivers/cxl_region/bind", *name}};
        for (const auto& [file, value] : steps) {
            if (auto done = put(file, value); !done) {
                (void)put(root + "/delete_region", *name);
                (void)put(cxl + decoder + "/dpa_size", "0");
                return done;
            }
        }
        region_ = *name;
        decoder_ = decoder;
        // The driver's link is there before its probe: the memory is complete when the last block is.
        const auto complete = [&] {
            const std::string device = dax();
            return !device.empty() && sysfs::link_name(dax_bus + "devices/" + device + "/driver") == "kmem" &&
                   std::ranges::all_of(blocks(),
                                       [](const std::string& block) { return sysfs::exists(block); });
        };
        if (!waiter_.until(complete)) return fail(problem(region_ + "'s memory did not come"));
        return {};
    }

    // As it is, without a look at blocks: what is online is lost.
    Result<> remove() {
        if (region_.empty()) return {};
        const std::string at = cxl + region_;
        const auto root = std::filesystem::canonical(at).parent_path().string();
        if (auto done = put("/sys/bus/cxl/drivers/cxl_region/unbind", region_); !done) return done;
        if (auto done = put(at + "/commit", "0"); !done) return done;
        if (auto done = put(root + "/delete_region", region_); !done) return done;
        if (auto done = put(cxl + decoder_ + "/dpa_size", "0"); !done) return done;
        if (!waiter_.until([&] { return !sysfs::exists(at); })) return fail(problem(region_ + " did not go"));
        region_.clear();
        return {};
    }

 private:
    std::uint64_t serial_;
    std::string region_;   // empty: there is none now
    std::string decoder_;  // the card's, that the region stands on
    Waiter waiter_;
};

}  // namespace cxlmemd::contract
