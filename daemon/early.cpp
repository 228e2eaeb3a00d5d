// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/early.h"

#include <iostream>

#include "backends/linux/linux_backend.h"
#include "daemon/auto_online_keeper.h"
#include "daemon/configuration.h"

namespace cxlmemd {

int hold_auto_online(const Options& options, const ConfigPaths& config, const LinuxPaths& paths) {
    const LoadedConfig loaded = load_config(config);
    if (has_errors(loaded.problems)) {
        // The daemon would only watch, and nobody would bring the memory online.
        std::cerr << "cxlmemd: the configuration has errors: auto_online_blocks is left alone\n";
        return 0;
    }
    if (loaded.settings.auto_online != AutoOnlineHandling::manage) return 0;
    const auto read = MemoryBlocks(paths).auto_online();
    if (!read) {
        std::cerr << "cxlmemd: auto_online_blocks is left alone: " << read.error().text() << '\n';
        return 1;
    }
    const auto& now = *read;
    if (!now || *now == AutoOnline::offline) return 0;
    if (auto kept = AutoOnlineKeeper(options.runtime_dir).remember(*now); !kept) {
        std::cerr << "cxlmemd: auto_online_blocks is left alone: its old value could not be kept: "
                  << kept.error().text() << '\n';
        return 1;
    }
    if (auto done = LinuxBackend(paths).set_auto_online(AutoOnline::offline); !done) {
        std::cerr << "cxlmemd: " << done.error().text() << '\n';
        return 1;
    }
    std::cerr << "cxlmemd: auto_online_blocks was " << to_string(*now)
              << " and is offline now: new memory waits for policy\n";
    return 0;
}

}  // namespace cxlmemd
