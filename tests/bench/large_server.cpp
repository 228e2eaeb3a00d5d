// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/bench/large_server.h"

#include <fmt/format.h>

#include <iterator>
#include <stdexcept>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"

namespace cxlmemd::test {

namespace {

constexpr std::uint64_t block = 128ULL << 20;
constexpr std::uint64_t first_byte = 4ULL << 40;

}  // namespace

std::string large_server_text() {
    std::string machine =
        "block_size = \"128MiB\"\n[features]\naccess_coordinates = true\n"
        "[[node]]\nid = 0\ncpus = true\nmemory = \"1TiB\"\n"
        "[[root_decoder]]\nname = \"decoder0.0\"\nstart = \"4TiB\"\nsize = \"32TiB\"\n";
    std::string regions;
    std::string devices;
    constexpr std::size_t per_card = server_blocks / server_cards;
    for (std::size_t card = 0; card < server_cards; ++card) {
        const std::uint64_t start = first_byte + card * per_card * block;
        fmt::format_to(std::back_inserter(machine),
                       "[[memdev]]\nname = \"mem{}\"\nserial = {}\nhost = \"0000:{:02x}:00.0\"\n"
                       "ram_size = {}\n",
                       card, 0x1000 + card, card + 16, per_card * block);
        fmt::format_to(std::back_inserter(regions),
                       "[[region]]\nname = \"region{0}\"\nmemdevs = [\"mem{0}\"]\n"
                       "root_decoder = \"decoder0.0\"\nstart = {1}\nsize = {2}\n",
                       card, start, per_card * block);
        // 15 or 16 devices a card.
        const std::size_t count =
            server_devices * (card + 1) / server_cards - server_devices * card / server_cards;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t begin = per_card * i / count;
            const std::uint64_t end = per_card * (i + 1) / count;
            fmt::format_to(std::back_inserter(devices),
                           "[[dax]]\nname = \"dax{0}.{1}\"\nregion = \"region{0}\"\ntarget_node = {2}\n"
                           "ranges = [{{ start = {3}, size = {4} }}]\n",
                           card, i, card + 1, start + begin * block, (end - begin) * block);
        }
    }
    return machine + regions + devices;
}

Topology large_server() {
    auto description = emulator::parse_machine(large_server_text(), "large-server.toml");
    if (!description) throw std::logic_error(to_string(description.error().front()));
    Emulator emulator = make_emulator(std::move(*description));
    auto topology = emulator.pair.worker_side->scan();
    if (!topology) throw std::logic_error(topology.error().text());
    return std::move(*topology);
}

}  // namespace cxlmemd::test
