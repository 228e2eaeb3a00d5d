// SPDX-License-Identifier: LGPL-2.1-or-later
// The pieces of pieces.h on the clock.
#include <benchmark/benchmark.h>

#include <string>

#include "tests/bench/pieces.h"

int main(int argc, char** argv) {
    for (const auto& piece : cxlmemd::test::pieces()) {
        benchmark::RegisterBenchmark(std::string{piece.name}.c_str(), [&piece](benchmark::State& state) {
            const auto run = piece.prepare();
            for (auto _ : state) run();
        })->Unit(benchmark::kMicrosecond);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
