// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "backends/emulator/anonymous.h"
#include "backends/emulator/file.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {

namespace {

std::string head(const RecordedBy& by, bool anonymise, const std::vector<std::string>& differences) {
    const std::string on = by.kernel.empty() ? "" : " on " + by.kernel;
    std::string out = toml_comment(fmt::format(
        "CXL memory of a machine, recorded by cxlmemd {}, {} backend{}.", by.version, by.backend, on));
    out += toml_comment(
        "cxlmemd --backend emulator:FILE --observe shows the same objects; docs/emulator.md has the "
        "format.");
    if (anonymise) out += toml_comment("Serial numbers and physical addresses are made up.");
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

Result<std::string> record(const Topology& topology, const RecordedBy& by, bool anonymise) {
    const RecordedMachine machine =
        recorded_machine(anonymise ? with_made_up_addresses(with_made_up_serials(topology)) : topology);
    std::string text = head(by, anonymise, machine.differences) + '\n' + write_machine(machine.description);
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
