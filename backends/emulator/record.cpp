#include "backends/emulator/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "backends/emulator/file.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {

namespace {

std::string head(const RecordedBy& by, bool made_up_serials, const std::vector<std::string>& differences) {
    const std::string on = by.kernel.empty() ? "" : " on " + by.kernel;
    std::string out = toml_comment(fmt::format(
        "CXL memory of a machine, recorded by cxlmemd {}, {} backend{}.", by.version, by.backend, on));
    out += toml_comment(
        "cxlmemd --backend emulator:FILE --observe shows the same objects; docs/emulator.md has the "
        "format.");
    if (made_up_serials) out += toml_comment("Serial numbers are made up.");
    out += "#\n";
    out += toml_comment(
        "Nobody can see these, so they are not in here: pages that cannot be moved, who else holds a "
        "physical range, "
        "access coordinates that the kernel does not show yet, how long anything takes.");
    if (!differences.empty()) out += "#\n" + toml_comment("The emulator shows this otherwise:");
    for (const std::string& difference : differences) out += toml_comment(difference, " - ");
    return out;
}

}  // namespace

Topology with_made_up_serials(Topology topology) {
    std::vector<std::tuple<std::string, std::string, std::uint64_t>> cards;
    for (const Memdev& memdev : topology.memdevs) cards.emplace_back(memdev.host, memdev.name, memdev.serial);
    std::ranges::sort(cards);
    // Cards that share a serial do so in the record, and 0 says that a card has none of its own.
    std::map<std::uint64_t, std::uint64_t> made_up{{0, 0}};
    for (const auto& [host, name, serial] : cards) made_up.emplace(serial, made_up.size());
    for (Memdev& memdev : topology.memdevs) memdev.serial = made_up.at(memdev.serial);
    for (DaxDevice& device : topology.dax_devices) {
        for (std::uint64_t& serial : device.id.serials)
            serial = made_up.emplace(serial, made_up.size()).first->second;
    }
    return topology;
}

Result<std::string> record(const Topology& topology, const RecordedBy& by, bool made_up_serials) {
    const RecordedMachine machine =
        recorded_machine(made_up_serials ? with_made_up_serials(topology) : topology);
    std::string text =
        head(by, made_up_serials, machine.differences) + '\n' + write_machine(machine.description);
    if (const ParsedMachine again = parse_machine(text, "record"); !again) {
        return fail({.code = ErrorCode::failed,
                     .object = to_string(again.error().front()),
                     .operation = "record",
                     .errnum = 0,
                     .reason = "no topology file can say this",
                     .advice = "report it"});
    }
    return text;
}

}  // namespace cxlmemd::emulator
