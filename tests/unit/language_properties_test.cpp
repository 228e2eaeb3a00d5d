// SPDX-License-Identifier: LGPL-2.1-or-later
// What must hold of the policy language whatever the text is. A failure prints the seed of its case.
#include <algorithm>
#include <random>

#include "policy/coverage.h"
#include "policy/decide.h"
#include "policy/settings.h"
#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

class Dice final {
 public:
    explicit Dice(std::uint32_t seed) : engine_(seed) {}

    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>{0, end - 1}(engine_);
    }
    template <class T>
    const T& of(const std::vector<T>& items) {
        return items[below(items.size())];
    }

 private:
    std::mt19937 engine_;
};

constexpr std::string_view whole_language = R"([[rule]]
name = "expanders"
match = { kind = ["cxl-ram", "hmem"], memdev_serial = ["0x1", 42], dax = 'dax0.*', size = ">= 16GiB" }
[rule.memory]
zone = "movable"
amount = "75%"   # é
require_node = [1]
[rule.drain]
timeout = "60s"
rollback = true
[[node]]
match.id = 1
interleave_weight = "auto"
[[region]]
name = """pool"""
memdev_serial = ["0x1", "0x2"]
[retry]
initial = "1s"
)";

// The text with bytes put in, taken out, exchanged, and parts of it doubled.
std::string damaged(Dice& dice) {
    static const std::vector<std::string> bits{"[",  "]",   "{",   "}",    "\"", "'''", "\"\"\"", "\\", "=",
                                               ".",  ",",   "#",   "\n",   "-",  "0x",  "\xff",   "é",  "\0",
                                               "[[", "a.b", "1e9", "true", "%",  "GiB", ">= "};
    std::string text{whole_language};
    for (std::size_t i = dice.below(12); i > 0; --i) {
        const std::size_t at = dice.below(text.size());
        switch (dice.below(3)) {
            case 0: text.insert(at, dice.of(bits)); break;
            case 1: text.erase(at, dice.below(20)); break;
            default: text.insert(at, text.substr(dice.below(text.size()), dice.below(200))); break;
        }
        if (text.empty()) return text;
    }
    return text;
}

TEST(LanguageProperties, DamagedTextEndsInProblemsAtPlacesInOrder) {
    for (std::uint32_t seed = 0; seed < 3000; ++seed) {
        Dice dice{seed};
        const std::string text = damaged(dice);
        const Compiled compiled = compile({{"a", text}});
        const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n')) + 1;
        std::pair<std::uint32_t, std::uint32_t> last;
        for (const Problem& problem : compiled.problems) {
            const std::pair place{problem.place.line, problem.place.column};
            ASSERT_LE(last, place) << "seed " << seed;
            ASSERT_LE(problem.place.line, lines) << "seed " << seed;
            last = place;
        }
        ASSERT_EQ(compiled.problems, compile({{"a", text}}).problems) << "seed " << seed;
        ASSERT_LE(compile_settings({"s", text}).problems.size(), max_file_bytes) << "seed " << seed;
    }
}

// --- Coverage is sound: where it says "covered", no device can tell otherwise. ---

Match random_match(Dice& dice) {
    static const std::vector<std::string> names{"*",         "dax0.*", "dax0.0", "dax?.1",
                                                "dax[01].0", "dax1.1", "d*1"};
    static const std::vector<std::string> regions{"*", "region*", "region0", "region?", "r*0", "region1"};
    const auto compare = [&](std::uint64_t low) {
        return Compare{static_cast<Comparison>(dice.below(5)), low + dice.below(3)};
    };
    Match out;
    for (std::size_t keys = dice.below(4); keys > 0; --keys) {
        for (std::size_t entries = 1 + dice.below(3); entries > 0; --entries) {
            switch (dice.below(7)) {
                case 0: out.kind.push_back(static_cast<DaxKind>(dice.below(4))); break;
                case 1: out.memdev_serial.push_back(1 + dice.below(3)); break;
                case 2: out.dax.push_back(Glob{dice.of(names)}); break;
                case 3: out.region.push_back(Glob{dice.of(regions)}); break;
                case 4: out.target_node.emplace_back(static_cast<int>(dice.below(3))); break;
                case 5: out.size.push_back(compare(1ULL << 30)); break;
                default: out.interleave_ways.push_back(compare(1)); break;
            }
        }
    }
    return out;
}

// One device, with or without a region above it.
Topology random_machine(Dice& dice) {
    Topology out;
    DaxDevice device;
    device.id.name = "dax" + std::to_string(dice.below(2)) + "." + std::to_string(dice.below(2));
    device.kind = static_cast<DaxKind>(dice.below(4));
    device.target_node = NodeId{static_cast<int>(dice.below(3))};
    device.size = Bytes{(1ULL << 30) + dice.below(4)};
    device.ranges = {{PhysAddr{0x100000000}, device.size}};
    if (dice.below(3) != 0) {
        Region region;
        region.name = "region" + std::to_string(dice.below(2));
        region.interleave_ways = 1 + static_cast<std::uint32_t>(dice.below(2));
        for (std::uint32_t i = 0; i < region.interleave_ways; ++i) {
            Memdev memdev;
            memdev.name = "mem" + std::to_string(i);
            memdev.serial = 1 + dice.below(3);
            region.memdevs.push_back(memdev.name);
            device.id.serials.push_back(memdev.serial);
            out.memdevs.push_back(std::move(memdev));
        }
        device.id.region = region.name;
        out.regions.push_back(std::move(region));
    }
    out.dax_devices.push_back(std::move(device));
    return out;
}

TEST(LanguageProperties, ADeviceOfACoveredRuleIsOneOfTheCoveringRule) {
    std::size_t covered_and_matching = 0;
    for (std::uint32_t seed = 0; seed < 20'000; ++seed) {
        Dice dice{seed};
        const Match earlier = random_match(dice);
        const Match later = random_match(dice);
        if (!covers(earlier, later)) continue;
        for (int machine = 0; machine < 20; ++machine) {
            const Topology topology = random_machine(dice);
            const DaxDevice& device = topology.dax_devices.front();
            if (mismatch(topology, device, later)) continue;
            ++covered_and_matching;
            ASSERT_EQ(mismatch(topology, device, earlier), std::nullopt) << "seed " << seed;
        }
    }
    EXPECT_GT(covered_and_matching, 1000U);
}

}  // namespace
}  // namespace cxlmemd
