// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "cli/units.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

std::string bytes(const json& p, const char* key) {
    return format_bytes(number_of(p, key));
}

std::vector<std::string> texts_in(const json& list) {
    std::vector<std::string> out;
    for (const json& one : list) {
        if (one.is_string()) out.push_back(one.get<std::string>());
    }
    return out;
}

// A PCI bus: "0000:0d" of a function, "pci0000:0c" of a host bridge.
struct PciBus {
    unsigned long segment = 0;
    unsigned long bus = 0;
};

std::optional<PciBus> bus_of(const std::string& text) {
    const std::size_t begin = text.starts_with("pci") ? 3 : 0;
    const std::size_t colon = text.find(':', begin);
    if (colon == std::string::npos || colon == begin) return std::nullopt;
    const auto hex = [&](std::size_t from, std::size_t to) -> std::optional<unsigned long> {
        char* end = nullptr;
        const std::string part = text.substr(from, to - from);
        const unsigned long value = std::strtoul(part.c_str(), &end, 16);
        return part.empty() || *end != '\0' ? std::nullopt : std::optional{value};
    };
    const auto segment = hex(begin, colon);
    const auto bus = hex(colon + 1, std::min(text.find_first_of(":.", colon + 1), text.size()));
    if (!segment || !bus) return std::nullopt;
    return PciBus{*segment, *bus};
}

// The bridges that may lead to a card, from the windows that it can be used through.
std::string bridge_of(const Object& card, const Objects& windows) {
    std::set<std::string> possible;
    std::set<std::string> certain;  // of windows with one bridge
    for (const Object& window : windows) {
        const auto cards = texts_in(list_of(window.properties, "Memdevs"));
        if (std::find(cards.begin(), cards.end(), card.path) == cards.end()) continue;
        const auto targets = texts_in(list_of(window.properties, "Targets"));
        possible.insert(targets.begin(), targets.end());
        if (targets.size() == 1) certain.insert(targets.front());
    }
    if (certain.size() == 1) return *certain.begin();
    const auto own = bus_of(text_of(card.properties, "Host"));
    std::string best;
    unsigned long best_bus = 0;
    for (const std::string& bridge : possible) {
        const auto bus = bus_of(bridge);
        if (!own || !bus || bus->segment != own->segment || bus->bus > own->bus) continue;
        if (!best.empty() && bus->bus < best_bus) continue;
        best = bridge;
        best_bus = bus->bus;
    }
    return best;
}

// "110 ns, 204.8 GB/s"; what is not known is left out.
void add_coordinates(Part& part, const json& p) {
    if (const auto latency = number_of(p, "ReadLatency"); latency > 0) {
        part.details.push_back({fmt::format("{} ns", latency)});
    }
    if (const auto bandwidth = number_of(p, "ReadBandwidth"); bandwidth > 0) {
        part.details.push_back({fmt::format("{:g} GB/s", static_cast<double>(bandwidth) / 1000)});
    }
}

Part card_part(const Object& card) {
    const json& p = card.properties;
    Part part{Part::Kind::card, card.name, {}};
    part.details.push_back({text_of(p, "Host")});
    if (number_of(p, "RamSize") > 0) part.details.push_back({bytes(p, "RamSize") + " ram"});
    if (number_of(p, "PmemSize") > 0) part.details.push_back({bytes(p, "PmemSize") + " pmem"});
    part.details.push_back({"serial " + format_hex(number_of(p, "Serial"))});
    if (const auto node = signed_of(p, "NumaNode"); node >= 0)
        part.details.push_back({fmt::format("at node{}", node)});
    const std::string preparation = text_of(p, "Preparation");
    if (preparation == "ready") part.details.push_back({"ready to be pulled", Colour::green});
    if (preparation == "emptying") part.details.push_back({"being emptied", Colour::yellow});
    if (preparation == "occupied") part.details.push_back({"occupied again", Colour::red});
    if (const std::string reason = text_of(p, "Reason"); !reason.empty()) {
        part.details.push_back({reason, Colour::yellow});
    }
    return part;
}

Part window_part(const Object& window) {
    const json& p = window.properties;
    Part part{Part::Kind::window, window.name, {}};
    if (const auto size = number_of(p, "Size"); size > 0) {
        part.details.push_back({format_bytes(size)});
        part.details.push_back({bytes(p, "Free") + " free"});
    }
    std::string takes = flag_of(p, "Volatile") ? "ram" : "";
    if (flag_of(p, "Pmem")) takes += takes.empty() ? "pmem" : ", pmem";
    if (!takes.empty()) part.details.push_back({takes});
    if (const auto ways = number_of(p, "InterleaveWays"); ways > 1)
        part.details.push_back({fmt::format("{} ways", ways)});
    std::string targets;
    for (const std::string& target : texts_in(list_of(p, "Targets"))) {
        targets += (targets.empty() ? "" : ", ") + target;
    }
    if (!targets.empty()) part.details.push_back({"through " + targets});
    if (const auto qos = signed_of(p, "QosClass"); qos >= 0 && p.contains("QosClass")) {
        part.details.push_back({fmt::format("QoS class {}", qos)});
    }
    return part;
}

Part region_part(const Object& region) {
    const json& p = region.properties;
    Part part{Part::Kind::region, region.name, {}};
    part.details.push_back({bytes(p, "Size") + " " + text_of(p, "Type")});
    std::string cards;
    for (const std::string& path : texts_in(list_of(p, "Memdevs"))) {
        cards += (cards.empty() ? "" : ", ") + name_of_path(path);
    }
    if (const auto ways = number_of(p, "InterleaveWays"); ways > 1) {
        part.details.push_back({fmt::format("{} ways of {}", ways, bytes(p, "InterleaveGranularity"))});
    }
    if (!cards.empty()) part.details.push_back({"on " + cards});
    add_coordinates(part, p);
    if (flag_of(p, "Locked")) part.details.push_back({"locked by the firmware"});
    return part;
}

Part dax_part(const Object& device) {
    const json& p = device.properties;
    Part part{Part::Kind::dax, device.name, {}};
    part.details.push_back({bytes(p, "Size") + " " + text_of(p, "Kind")});
    const std::string mode = text_of(p, "Mode");
    if (mode != "system-ram") {
        part.details.push_back({mode});
    } else {
        const std::string state = text_of(p, "State");
        const std::string zone = text_of(p, "Zone");
        part.details.push_back(
            {state == "partial" ? fmt::format("{} of it online", bytes(p, "BytesOnline")) : state,
             colour_of(state)});
        if (zone != "none") part.details.push_back({zone, colour_of(zone)});
    }
    if (const std::string rule = text_of(p, "Rule"); !rule.empty()) part.details.push_back({"rule " + rule});
    if (flag_of(p, "Held")) part.details.push_back({"held", Colour::yellow});
    if (flag_of(p, "RebootRequired")) part.details.push_back({"leaked", Colour::red});
    const json error = p.is_object() ? p.value("LastError", json::object()) : json::object();
    if (!text_of(error, "name").empty()) part.details.push_back({text_of(error, "message"), Colour::red});
    return part;
}

Part node_part(const Object& node) {
    const json& p = node.properties;
    Part part{Part::Kind::node, node.name, {}};
    part.details.push_back({bytes(p, "BytesOnline")});
    if (const auto movable = number_of(p, "BytesMovable"); movable > 0) {
        part.details.push_back({format_bytes(movable) + " movable"});
    }
    part.details.push_back({flag_of(p, "HasCpu") ? "CPUs" : "no CPU"});
    if (const auto tier = signed_of(p, "Tier"); tier >= 0 && p.contains("Tier")) {
        part.details.push_back({fmt::format("tier {}", tier)});
    }
    add_coordinates(part, p);
    if (const auto weight = number_of(p, "InterleaveWeight"); weight > 0) {
        part.details.push_back({fmt::format("weight {}", weight)});
    }
    return part;
}

class Builder final {
 public:
    explicit Builder(const Objects& objects) : windows_(of_kind(objects, Kind::decoder)), objects_(objects) {}

    Machine build() {
        bridges();
        all(Kind::memdev, card_part);
        all(Kind::decoder, window_part);
        all(Kind::region, region_part);
        all(Kind::dax, dax_part);
        all(Kind::node, node_part);
        for (const Object& object : objects_) link(object);
        return std::move(machine_);
    }

 private:
    void bridges() {
        std::set<std::string> names;
        for (const Object& window : windows_) {
            for (const std::string& target : texts_in(list_of(window.properties, "Targets")))
                names.insert(target);
        }
        for (const std::string& name : names) add(name, {Part::Kind::bridge, name, {{"host bridge"}}});
    }

    template <class Describe>
    void all(Kind kind, const Describe& describe) {
        for (const Object& object : of_kind(objects_, kind)) add(object.path, describe(object));
    }

    void add(const std::string& key, Part part) {
        index_[key] = machine_.parts.size();
        machine_.parts.push_back(std::move(part));
    }

    void join(const std::string& from, const std::string& to, bool possible_only = false) {
        const auto a = index_.find(from);
        const auto b = index_.find(to);
        if (a != index_.end() && b != index_.end())
            machine_.links.push_back({a->second, b->second, possible_only});
    }

    void link(const Object& object) {
        const json& p = object.properties;
        switch (object.kind) {
            case Kind::memdev: join(bridge_of(object, windows_), object.path); break;
            case Kind::decoder: link_cards(object); break;
            case Kind::region:
                join(path_of(Kind::decoder, text_of(p, "RootDecoder")), object.path);
                for (const std::string& dax : texts_in(list_of(p, "DaxDevices"))) join(object.path, dax);
                break;
            case Kind::dax:
                if (const auto node = signed_of(p, "TargetNode"); p.contains("TargetNode") && node >= 0) {
                    const std::string name = fmt::format("node{}", node);
                    join(object.path, path_of(Kind::node, name));
                    if (!index_.contains(path_of(Kind::node, name))) {
                        machine_.parts[index_.at(object.path)].details.push_back(
                            {name + " is not there yet", Colour::dim});
                    }
                }
                break;
            case Kind::node:
            case Kind::job: break;
        }
    }

    // A card leads to a window through the regions that it carries there.
    void link_cards(const Object& window) {
        for (const std::string& card : texts_in(list_of(window.properties, "Memdevs"))) {
            bool used = false;
            for (const Object& region : objects_) {
                if (region.kind != Kind::region || text_of(region.properties, "RootDecoder") != window.name)
                    continue;
                const auto cards = texts_in(list_of(region.properties, "Memdevs"));
                used = used || std::find(cards.begin(), cards.end(), card) != cards.end();
            }
            join(card, window.path, !used);
        }
    }

    Objects windows_;
    const Objects& objects_;
    Machine machine_;
    std::map<std::string, std::size_t> index_;  // by object path; a bridge by its name
};

}  // namespace

Machine machine_of(const Objects& objects) {
    return Builder(objects).build();
}

}  // namespace cxlmemctl
