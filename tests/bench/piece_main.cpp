// SPDX-License-Identifier: LGPL-2.1-or-later
// One piece, twice: the first time warms it up, the second one is what valgrind counts (between the two
// requests; without valgrind they are nothing).
#include <valgrind/callgrind.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "tests/bench/pieces.h"

int main(int argc, char** argv) {
    using cxlmemd::test::Piece;
    for (const Piece& piece : cxlmemd::test::pieces()) {
        if (argc != 2 || piece.name != std::string_view{argv[1]}) continue;
        const auto run = piece.prepare();
        run();
        CALLGRIND_START_INSTRUMENTATION;
        run();
        CALLGRIND_STOP_INSTRUMENTATION;
        return 0;
    }
    for (const Piece& piece : cxlmemd::test::pieces()) std::puts(std::string{piece.name}.c_str());
    return argc == 1 ? 0 : 2;
}
