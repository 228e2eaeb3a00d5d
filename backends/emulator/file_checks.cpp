// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file_checks.h"

namespace cxlmemd::emulator {

DescribedAccess read_access(FileTable& parent, bool with_shown) {
    DescribedAccess out;
    std::optional<FileTable> table = parent.table("access");
    if (!table) return out;
    const auto read = [&]<class T>(std::string_view key, std::optional<T>& into) {
        if (const auto number = table->number(key, 0xffffffffU))
            into = T{static_cast<std::uint32_t>(*number)};
    };
    read("read_latency", out.access.read_latency);
    read("write_latency", out.access.write_latency);
    read("read_bandwidth", out.access.read_bandwidth);
    read("write_bandwidth", out.access.write_bandwidth);
    if (with_shown) out.shown = table->truth("shown").value_or(false);
    table->finish();
    return out;
}

PhysRange read_range(FileTable& table) {
    const std::uint64_t start = table.needed(table.size("start"), "start");
    const std::uint64_t size = table.needed(table.size("size"), "size");
    if (table.has("size") && size == 0) table.wrong("size", "must not be 0");
    if (size != 0 && size - 1 > max_address - start) {
        table.wrong("size", fmt::format("must end at {:#x} at most", max_address));
    }
    return {PhysAddr{start}, Bytes{size}};
}

}  // namespace cxlmemd::emulator
