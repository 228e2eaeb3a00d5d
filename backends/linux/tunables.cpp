// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/tunables.h"

#include <fmt/format.h>

#include <cerrno>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

std::string weights(const LinuxPaths& paths) {
    return paths.sys + "/kernel/mm/mempolicy/weighted_interleave";
}

// Some 6.18 kernels call it by the name of a variable of theirs.
std::string auto_file(const LinuxPaths& paths) {
    const std::string odd = weights(paths) + "/__auto_type";
    return sysfs::exists(odd) ? odd : weights(paths) + "/auto";
}

std::string demotion_file(const LinuxPaths& paths) {
    return paths.sys + "/kernel/mm/numa/demotion_enabled";
}

std::optional<bool> read_truth(const std::string& file) {
    const auto text = sysfs::read(file);
    if (!text) return std::nullopt;
    if (*text == "true" || *text == "1" || *text == "Y") return true;
    if (*text == "false" || *text == "0" || *text == "N") return false;
    return std::nullopt;
}

Error not_written(std::string object, const std::string& value, int errnum) {
    Error error{.code = code_of_errno(errnum),
                .object = std::move(object),
                .operation = "set " + value,
                .errnum = errnum,
                .reason = "the kernel's file was not written",
                .advice = {}};
    if (errnum == EACCES || errnum == EPERM || errnum == EROFS) {
        error.advice = "it takes root and write access to /sys/kernel/mm";
    }
    return error;
}

Result<> write_known(const std::string& file, std::string object, const std::string& value,
                     const char* missing) {
    const auto done = sysfs::write(file, value);
    if (done) return {};
    Error error = not_written(std::move(object), value, done.error());
    if (done.error() == ENOENT) {
        error.code = ErrorCode::not_supported;
        error.reason = missing;
    }
    return fail(std::move(error));
}

}  // namespace

std::optional<bool> read_interleave_auto(const LinuxPaths& paths) {
    return read_truth(auto_file(paths));
}

std::optional<bool> read_demotion(const LinuxPaths& paths) {
    return read_truth(demotion_file(paths));
}

Result<> write_interleave_weight(const LinuxPaths& paths, NodeId node, std::uint32_t weight) {
    const std::string object = fmt::format("interleave weight of node {}", node.value());
    if (!sysfs::exists(weights(paths))) {
        return write_known(weights(paths) + "/node", object, std::to_string(weight),
                           "this kernel has no weighted interleave");
    }
    const std::string file = fmt::format("{}/node{}", weights(paths), node.value());
    if (const auto done = sysfs::write(file, std::to_string(weight)); !done) {
        Error error = not_written(object, std::to_string(weight), done.error());
        if (done.error() == ENOENT) {
            error.code = ErrorCode::not_found;
            error.reason = "there is no such node";
        }
        return fail(std::move(error));
    }
    return {};
}

Result<> write_interleave_auto(const LinuxPaths& paths, bool on) {
    auto done = write_known(auto_file(paths), "automatic interleave weights", on ? "1" : "0",
                            "this kernel has no automatic interleave weights");
    // mm/mempolicy.c, weighted_interleave_auto_store(): not while no node has told its bandwidth.
    if (!done && done.error().errnum == ENODEV) {
        done.error().code = ErrorCode::not_supported;
        done.error().reason = "the kernel knows the bandwidth of no node";
    }
    return done;
}

Result<> write_demotion(const LinuxPaths& paths, bool on) {
    return write_known(demotion_file(paths), "demotion_enabled", on ? "1" : "0",
                       "this kernel cannot demote memory to a lower tier");
}

}  // namespace cxlmemd
