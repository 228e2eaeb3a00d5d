// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/blocks.h"
#include "cli/commands.h"
#include "cli/names.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

json json_list(const Objects& objects) {
    json out = json::array();
    for (const Object& object : objects) out.push_back(object.json());
    return out;
}

json json_by_kind(const Objects& objects) {
    json out = json::object();
    for (const Kind kind : all_kinds) out[std::string(list_word(kind))] = json_list(of_kind(objects, kind));
    return out;
}

// Where the kernel keeps addresses for root, the properties have none. Who may not ask sees the device
// without.
void add_addresses(Object& object, Client& client) {
    if (object.kind != Kind::dax || number_of(object.properties, "Resource") != 0) return;
    try {
        const auto [resource, ranges] = client.dax(object.path).Addresses({});
        object.properties["Resource"] = resource;
        json list = json::array();
        for (const auto& range : ranges) {
            list.push_back({{"start", std::get<0>(range)}, {"length", std::get<1>(range)}});
        }
        object.properties["Ranges"] = list;
    } catch (const sdbus::Error& error) {
        const Failure failure =
            failure_of_dbus(std::string{error.getName()}, std::string{error.getMessage()});
        if (failure.code != Exit::not_authorized && !is_unknown_object(std::string{error.getName()})) throw;
    }
}

Result<Exit> show_blocks(const Objects& chosen, Client& client, Output& out) {
    // What everyone may have: the states are true in it, and the addresses made up.
    const std::string record = client.manager().Record({{"anonymise", sdbus::Variant{true}}});
    json documents = json::array();
    std::string text;
    for (const Object& device : chosen) {
        const auto map = blocks_of(record, device.name, list_of(device.properties, "Ranges"));
        if (!map) return tl::unexpected(map.error());
        documents.push_back(blocks_json(*map));
        documents.back()["Path"] = device.path;
        text += (text.empty() ? "" : "\n") + blocks_view(device.name, *map, out.paint());
    }
    if (out.json()) {
        out.document(documents.size() == 1 ? documents.front() : documents);
    } else {
        out.text(text);
    }
    return Exit::done;
}

}  // namespace

Result<Exit> status(const Args& /*args*/, Client& client, Output& out) {
    const json manager = client.manager_properties();
    const Objects objects = client.objects();
    if (out.json()) {
        out.document({{"manager", manager}, {"dax", json_list(of_kind(objects, Kind::dax))}});
    } else {
        out.text(status_view(manager, objects, out.paint()));
    }
    return Exit::done;
}

Result<Exit> list(const Args& args, Client& client, Output& out) {
    const Objects objects = client.objects();
    if (out.json()) {
        out.document(args.kind ? json_list(of_kind(objects, *args.kind)) : json_by_kind(objects));
        return Exit::done;
    }
    if (args.kind) {
        out.text(list_view(objects, *args.kind, out.paint()));
        return Exit::done;
    }
    bool first = true;
    for (const Kind kind : all_kinds) {
        if (of_kind(objects, kind).empty()) continue;
        if (!first) out.text("\n");
        out.text(list_view(objects, kind, out.paint()));
        first = false;
    }
    if (first) out.text("no CXL memory and no dax device on this machine\n");
    return Exit::done;
}

Result<Exit> show(const Args& args, Client& client, Output& out) {
    const Objects objects = client.objects();
    Objects chosen;
    for (const std::string& name : args.names) {
        auto object = resolve(objects, name, args.blocks ? std::optional{Kind::dax} : std::nullopt);
        if (!object) return tl::unexpected(object.error());
        add_addresses(*object, client);
        chosen.push_back(*std::move(object));
    }
    if (args.blocks) return show_blocks(chosen, client, out);
    if (out.json()) {
        out.document(chosen.size() == 1 ? chosen.front().json() : json_list(chosen));
        return Exit::done;
    }
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (i > 0) out.text("\n");
        out.text(show_view(chosen[i], out.paint()));
    }
    return Exit::done;
}

void list_options(OptionSet& set) {
    std::vector<std::string> words;
    for (const Kind kind : all_kinds) words.emplace_back(list_word(kind));
    set.app()
        .add_option_function<std::string>(
            "kind",
            [&args = set.args()](const std::string& word) {
                for (const Kind kind : all_kinds) {
                    if (list_word(kind) == word) args.kind = kind;
                }
            },
            "memdevs, regions, decoders, dax, nodes or jobs")
        ->check(CLI::IsMember(words))
        ->type_name("KIND");
}

void show_options(OptionSet& set) {
    set.names("dax0.0, region0, mem0, node1, job 3");
    set.flag("--blocks", set.args().blocks, "Of dax devices: their memory blocks by zone and state");
}

}  // namespace cxlmemctl
