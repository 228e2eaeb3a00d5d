// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

std::string coloured(const Paint& paint, const std::string& word) {
    return paint(colour_of(word), escape(word));
}

std::string names_in(const json& list) {
    std::string out;
    for (const json& path : list) {
        if (!path.is_string()) continue;
        out += (out.empty() ? "" : ",") + name_of_path(path.get_ref<const std::string&>());
    }
    return escape(out);
}

std::string unless_zero(std::uint64_t value, std::string_view unit = "") {
    return value == 0 ? "-" : fmt::format("{}{}", value, unit);
}

std::string unless_negative(std::int64_t value) {
    return value < 0 ? "-" : fmt::format("{}", value);
}

std::string bytes_in(const json& p, const char* key) {
    return format_bytes(number_of(p, key));
}

Table memdevs(const Objects& objects) {
    Table table({{"MEMDEV"},
                 {"SERIAL"},
                 {"HOST"},
                 {"NODE", Align::right},
                 {"RAM", Align::right},
                 {"PMEM", Align::right},
                 {"FIRMWARE"},
                 {"REGIONS"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        table.add({escape(object.name), format_hex(number_of(p, "Serial")), escape(text_of(p, "Host")),
                   unless_negative(signed_of(p, "NumaNode")), bytes_in(p, "RamSize"), bytes_in(p, "PmemSize"),
                   escape(text_of(p, "Firmware")), names_in(list_of(p, "Regions"))});
    }
    return table;
}

Table regions(const Objects& objects) {
    Table table({{"REGION"},
                 {"TYPE"},
                 {"SIZE", Align::right},
                 {"WAYS", Align::right},
                 {"GRANULARITY", Align::right},
                 {"DECODER"},
                 {"NODE", Align::right},
                 {"QOS", Align::right},
                 {"LATENCY", Align::right},
                 {"BANDWIDTH", Align::right},
                 {"MEMDEVS"},
                 {"DAX"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        table.add({escape(object.name), escape(text_of(p, "Type")), bytes_in(p, "Size"),
                   unless_zero(number_of(p, "InterleaveWays")), bytes_in(p, "InterleaveGranularity"),
                   escape(text_of(p, "RootDecoder")), unless_negative(signed_of(p, "TargetNode")),
                   unless_negative(signed_of(p, "QosClass")), unless_zero(number_of(p, "ReadLatency"), " ns"),
                   unless_zero(number_of(p, "ReadBandwidth"), " MB/s"), names_in(list_of(p, "Memdevs")),
                   names_in(list_of(p, "DaxDevices"))});
    }
    return table;
}

Table decoders(const Objects& objects) {
    Table table({{"DECODER"},
                 {"SIZE", Align::right},
                 {"FREE", Align::right},
                 {"WAYS", Align::right},
                 {"GRANULARITY", Align::right},
                 {"TAKES"},
                 {"QOS", Align::right},
                 {"TARGETS"},
                 {"MEMDEVS"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        std::string takes = flag_of(p, "Volatile") ? "ram" : "";
        if (flag_of(p, "Pmem")) takes += takes.empty() ? "pmem" : ",pmem";
        std::string targets;
        for (const json& target : list_of(p, "Targets")) {
            if (target.is_string()) targets += (targets.empty() ? "" : ",") + target.get<std::string>();
        }
        table.add({escape(object.name), bytes_in(p, "Size"), bytes_in(p, "Free"),
                   unless_zero(number_of(p, "InterleaveWays")), bytes_in(p, "InterleaveGranularity"), takes,
                   unless_negative(signed_of(p, "QosClass")), escape(targets),
                   names_in(list_of(p, "Memdevs"))});
    }
    return table;
}

// What deserves a look: said in a few words behind the line.
std::string notes(const json& p, const Paint& paint) {
    std::string out;
    const auto note = [&](Colour colour, const std::string& text) {
        out += (out.empty() ? "" : ", ") + paint(colour, text);
    };
    if (flag_of(p, "RebootRequired")) note(Colour::red, "leaked");
    const json error = p.is_object() ? p.value("LastError", json::object()) : json::object();
    if (!text_of(error, "name").empty()) note(Colour::red, escape(text_of(error, "message")));
    if (flag_of(p, "Held")) note(Colour::yellow, "held");
    const bool decided = !text_of(p, "Rule").empty();
    const bool ignored = text_of(p, "Reason").find("says mode = ignore") != std::string::npos;
    if (decided && ignored && !flag_of(p, "Held")) note(Colour::dim, "left alone");
    if (decided && !flag_of(p, "InPolicy") && !flag_of(p, "Held")) note(Colour::yellow, "not as policy says");
    if (const auto lost = number_of(p, "BytesStranded"); lost > 0) {
        note(Colour::dim, format_bytes(lost) + " stranded");
    }
    return out;
}

Table dax(const Objects& objects, const Paint& paint) {
    Table table({{"DAX"},
                 {"KIND"},
                 {"MODE"},
                 {"STATE"},
                 {"ZONE"},
                 {"ONLINE", Align::right},
                 {"SIZE", Align::right},
                 {"BLOCKS", Align::right},
                 {"NODE", Align::right},
                 {"REGION"},
                 {"RULE"},
                 {"NOTE"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        table.add({escape(object.name), escape(text_of(p, "Kind")), escape(text_of(p, "Mode")),
                   coloured(paint, text_of(p, "State")), coloured(paint, text_of(p, "Zone")),
                   bytes_in(p, "BytesOnline"), bytes_in(p, "Size"),
                   fmt::format("{}/{}", number_of(p, "BlocksOnline"), number_of(p, "BlocksTotal")),
                   unless_negative(signed_of(p, "TargetNode")), escape(name_of_path(text_of(p, "Region"))),
                   escape(text_of(p, "Rule")), notes(p, paint)});
    }
    return table;
}

Table nodes(const Objects& objects) {
    Table table({{"NODE"},
                 {"CPU"},
                 {"ONLINE", Align::right},
                 {"MOVABLE", Align::right},
                 {"TIER", Align::right},
                 {"LATENCY", Align::right},
                 {"BANDWIDTH", Align::right},
                 {"WEIGHT", Align::right},
                 {"DAX"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        table.add({escape(object.name), flag_of(p, "HasCpu") ? "yes" : "no", bytes_in(p, "BytesOnline"),
                   bytes_in(p, "BytesMovable"), unless_negative(signed_of(p, "Tier")),
                   unless_zero(number_of(p, "ReadLatency"), " ns"),
                   unless_zero(number_of(p, "ReadBandwidth"), " MB/s"),
                   unless_zero(number_of(p, "InterleaveWeight")), names_in(list_of(p, "DaxDevices"))});
    }
    return table;
}

Table jobs(const Objects& objects, const Paint& paint) {
    Table table({{"JOB", Align::right},
                 {"OPERATION"},
                 {"OBJECT"},
                 {"STATE"},
                 {"RESULT"},
                 {"PROGRESS", Align::right},
                 {"BLOCKS", Align::right},
                 {"UID", Align::right},
                 {"ERROR"}});
    for (const Object& object : objects) {
        const json& p = object.properties;
        const json error = p.is_object() ? p.value("Error", json::object()) : json::object();
        table.add({fmt::format("{}", number_of(p, "Id")), escape(text_of(p, "Operation")),
                   escape(name_of_path(text_of(p, "Object"))), coloured(paint, text_of(p, "State")),
                   coloured(paint, text_of(p, "Result")),
                   fmt::format("{:.0f}%", real_of(p, "Progress") * 100),
                   fmt::format("{}/{}", number_of(p, "BlocksDone"), number_of(p, "BlocksTotal")),
                   fmt::format("{}", number_of(p, "StartedBy")), escape(text_of(error, "message"))});
    }
    return table;
}

Table table_of(const Objects& objects, Kind kind, const Paint& paint) {
    switch (kind) {
        case Kind::memdev: return memdevs(objects);
        case Kind::region: return regions(objects);
        case Kind::decoder: return decoders(objects);
        case Kind::dax: return dax(objects, paint);
        case Kind::node: return nodes(objects);
        case Kind::job: return jobs(objects, paint);
    }
    return Table({});
}

}  // namespace

std::string list_view(const Objects& objects, Kind kind, const Paint& paint) {
    const Table table = table_of(of_kind(objects, kind), kind, paint);
    return table.empty() ? fmt::format("no {}s\n", readable(kind)) : table.text(true, paint.columns());
}

}  // namespace cxlmemctl
