// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <map>
#include <type_traits>

#include "cli/commands.h"
#include "cli/job_commands.h"
#include "cli/names.h"

namespace cxlmemctl {
namespace {

using Options = std::map<std::string, sdbus::Variant>;

Options work_options(const Args& args) {
    Options options;
    if (args.timeout_usec) options.emplace("timeout", sdbus::Variant{*args.timeout_usec});
    if (args.rollback) options.emplace("rollback", sdbus::Variant{*args.rollback});
    if (!args.hold) options.emplace("hold", sdbus::Variant{false});
    return options;
}

// All names are resolved before anything is changed.
Result<Objects> resolve_all(const Args& args, Client& client, Kind kind) {
    Objects chosen;
    if (args.names.size() == 1 && kind == Kind::dax) {
        if (auto own_name = client.find(kind, args.names.front())) chosen.push_back(*std::move(own_name));
    }
    if (!chosen.empty()) return chosen;
    const Objects objects = client.objects();
    for (const std::string& name : args.names) {
        auto object = resolve(objects, name, kind);
        if (!object) return tl::unexpected(object.error());
        chosen.push_back(*std::move(object));
    }
    return chosen;
}

// --amount in bytes for this device; 0: all of it.
std::uint64_t bytes_wanted(const Amount& amount, const Object& device, std::uint64_t block_size) {
    if (const auto* bytes = std::get_if<ByteCount>(&amount)) return bytes->value;
    if (const auto* percent = std::get_if<Percent>(&amount)) {
        const std::uint64_t blocks = number_of(device.properties, "BlocksTotal");
        const std::uint64_t whole =
            blocks * block_size > 0 ? blocks * block_size : number_of(device.properties, "Size");
        return part_of(*percent, whole, block_size);
    }
    return 0;
}

using StartOne = std::function<std::string(const Object& device)>;

Result<Exit> work_on_devices(const Args& args, Client& client, Output& out, const Objects& devices,
                             const StartOne& start_one) {
    return run_jobs(args, client, out, [&] {
        Started started;
        try {
            for (const Object& device : devices) started.jobs.push_back(start_one(device));
        } catch (const sdbus::Error& error) {
            started.failure = failure_of_dbus(error.getName(), error.getMessage());
        }
        return started;
    });
}

// A method without a job on each of them; says `word` when it is done.
Result<Exit> tell_all(const Result<Objects>& objects, Client& client, Output& out, const char* word,
                      const std::function<void(const Object&)>& call) {
    if (!objects) return tl::unexpected(objects.error());
    client.prepare_to_change();
    nlohmann::json done = nlohmann::json::array();
    for (const Object& object : *objects) {
        call(object);
        done.push_back({{"Path", object.path}, {"Outcome", word}});
        if (!out.json()) out.text(fmt::format("{}: {}\n", escape(object.name), word));
    }
    if (out.json()) out.document(done);
    return Exit::done;
}

}  // namespace

Result<Exit> online(const Args& args, Client& client, Output& out) {
    const auto devices = resolve_all(args, client, Kind::dax);
    if (!devices) return tl::unexpected(devices.error());
    const bool in_percent = std::holds_alternative<Percent>(args.amount);
    const std::uint64_t block = in_percent ? number_of(client.manager_properties(), "BlockSize") : 0;
    std::map<std::string, Options> options;
    for (const Object& device : *devices) {
        Options& chosen = options[device.path] = work_options(args);
        const std::uint64_t bytes = bytes_wanted(args.amount, device, block);
        if (bytes > 0) chosen.emplace("amount", sdbus::Variant{bytes});
        if (in_percent && bytes == 0) {
            return fail(Exit::failed,
                        fmt::format("{}: that part of it is less than one memory block", device.name));
        }
    }
    return work_on_devices(args, client, out, *devices, [&](const Object& device) -> std::string {
        return client.dax(device.path).Online(args.zone, options[device.path]);
    });
}

Result<Exit> offline(const Args& args, Client& client, Output& out) {
    const auto devices = resolve_all(args, client, Kind::dax);
    if (!devices) return tl::unexpected(devices.error());
    return work_on_devices(args, client, out, *devices, [&](const Object& device) -> std::string {
        return client.dax(device.path).Offline(work_options(args));
    });
}

Result<Exit> mode(const Args& args, Client& client, Output& out) {
    const auto devices = resolve_all(args, client, Kind::dax);
    if (!devices) return tl::unexpected(devices.error());
    return work_on_devices(args, client, out, *devices, [&](const Object& device) -> std::string {
        return client.dax(device.path).SetMode(args.mode, work_options(args));
    });
}

Result<Exit> hold(const Args& args, Client& client, Output& out) {
    return tell_all(resolve_all(args, client, Kind::dax), client, out, "held",
                    [&](const Object& device) { client.dax(device.path).Hold({}); });
}

Result<Exit> release(const Args& args, Client& client, Output& out) {
    const Objects objects = client.objects();
    Objects chosen;
    for (const std::string& name : args.names) {
        auto object = resolve_releasable(objects, name);
        if (!object) return tl::unexpected(object.error());
        chosen.push_back(*std::move(object));
    }
    return tell_all(chosen, client, out, "released", [&](const Object& object) {
        if (object.kind == Kind::region) return client.region(object.path).Release({});
        if (object.kind == Kind::memdev) return client.memdev(object.path).Release({});
        client.dax(object.path).Release({});
    });
}

// A region goes; a memdev is made ready to be pulled.
Result<Exit> remove(const Args& args, Client& client, Output& out) {
    const Objects objects = client.objects();
    Objects chosen;
    for (const std::string& name : args.names) {
        auto object = resolve_removable(objects, name);
        if (!object) return tl::unexpected(object.error());
        chosen.push_back(*std::move(object));
    }
    return work_on_devices(args, client, out, chosen, [&](const Object& object) -> std::string {
        return object.kind == Kind::region ? client.region(object.path).Remove(work_options(args))
                                           : client.memdev(object.path).PrepareRemove(work_options(args));
    });
}

Result<Exit> cancel(const Args& args, Client& client, Output& out) {
    return tell_all(resolve_all(args, client, Kind::job), client, out, "asked to stop",
                    [&](const Object& job) { client.job(job.path).Cancel({}); });
}

void online_options(OptionSet& set) {
    set.names("dax0.0");
    set.one_of("--zone", set.args().zone, "ZONE", {"movable", "kernel", "auto"},
               "movable, kernel or auto; default: what its rule says");
    set.read("--amount", set.args().amount, "N", parse_amount,
             "all, a percentage, or a size as in 96GiB: so much from the device's upper end");
    set.work();
}

void offline_options(OptionSet& set) {
    set.names("dax0.0");
    set.work();
}

void mode_options(OptionSet& set) {
    set.one_name();
    set.one_of("mode", set.args().mode, "MODE", {"system-ram", "devdax", "famfs"},
               "system-ram, devdax or famfs")
        ->required();
    set.work();
}

void hold_options(OptionSet& set) {
    set.names("dax0.0");
}

void release_options(OptionSet& set) {
    set.names("dax0.0");
}

void remove_options(OptionSet& set) {
    set.names("region0, mem0");
    set.limits();
}

void cancel_options(OptionSet& set) {
    set.names("3", "JOB");
}

}  // namespace cxlmemctl
