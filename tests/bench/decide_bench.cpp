// SPDX-License-Identifier: LGPL-2.1-or-later
// How long policy takes: decisions over a fleet's worth of devices and rules, and compiling the largest
// texts that are allowed. The bar for decide(): 10,000 devices under 1,000 rules within 100 ms on one core.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "policy/compile.h"
#include "policy/decide.h"
#include "tests/bench/decide_mixes.h"
#include "tests/bench/large_texts.h"

namespace cxlmemd::test {
namespace {

void decide_over(benchmark::State& state, const RuleMix& mix, std::size_t devices, std::size_t rules) {
    const Topology topology = fleet_machine(devices);
    const Policy policy = fleet_policy(mix, rules);
    for (auto _ : state) benchmark::DoNotOptimize(decide(topology, policy, {}));
    state.counters["devices/s"] =
        benchmark::Counter(static_cast<double>(devices), benchmark::Counter::kIsIterationInvariantRate);
}

void compile_of(benchmark::State& state, const LargeText& text) {
    const std::vector<SourceFile> files = text.files();
    for (auto _ : state) benchmark::DoNotOptimize(compile(files));
}

void register_all() {
    for (const RuleMix& mix : rule_mixes()) {
        for (const auto& [devices, rules] :
             {std::pair{many_devices, many_rules}, std::pair{many_devices / 2, many_rules},
              std::pair{many_devices, std::size_t{1}}}) {
            benchmark::RegisterBenchmark(
                fmt::format("decide/{}/{}x{}", mix.name, devices, rules).c_str(),
                [&mix, d = devices, r = rules](benchmark::State& state) { decide_over(state, mix, d, r); })
                ->Unit(benchmark::kMillisecond);
        }
    }
    for (const LargeText& text : large_texts()) {
        benchmark::RegisterBenchmark(fmt::format("compile/{}", text.name).c_str(),
                                     [&text](benchmark::State& state) { compile_of(state, text); })
            ->Unit(benchmark::kMillisecond);
    }
}

}  // namespace
}  // namespace cxlmemd::test

int main(int argc, char** argv) {
    cxlmemd::test::register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
