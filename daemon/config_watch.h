// SPDX-License-Identifier: LGPL-2.1-or-later
// Notices that configuration files were edited. inotify on the loop thread; no timer at rest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/config_files.h"
#include "daemon/event_loop.h"

struct inotify_event;

namespace cxlmemd {

// Says once that something may have changed, when whoever changes it has finished: an editor that writes
// beside and renames, one that moves the old file away first, one that truncates and writes in pieces.
// While a file is open for writing nothing is said, however long that takes; else as soon as nothing has
// happened for a settling time, and at least every twenty such times however much happens.
//
// Watched are the policy folders, the folders of daemon.toml, where links in them lead to, and of folders
// that do not exist the nearest parent that does.
class ConfigWatch final {
 public:
    struct Hooks {
        std::function<void()> changed;
        std::function<void(const std::string& message)> failed;  // what will not be noticed; once each
    };
    static constexpr std::uint64_t default_settle_usec = 250'000;

    // Watches from here on: what the caller reads afterwards cannot have missed a change.
    ConfigWatch(EventLoop& loop, ConfigPaths paths, Hooks hooks,
                std::uint64_t settle_usec = default_settle_usec);
    ConfigWatch(const ConfigWatch&) = delete;
    ConfigWatch& operator=(const ConfigWatch&) = delete;
    ~ConfigWatch();

    // After reading what changed() told of: whether nobody has touched it meanwhile. If somebody has, it may
    // be half of something, and changed() will be called again.
    [[nodiscard]] bool quiet();

 private:
    struct Interest {
        std::string name;     // of the entry; empty: every *.toml
        bool is_file = true;  // else a folder on the way to one
        bool operator==(const Interest&) const = default;
    };
    struct Folder {
        std::filesystem::path path;
        std::uint32_t mask = 0;
        std::vector<Interest> interests;
        bool operator==(const Folder&) const = default;
    };
    using Folders = std::map<std::filesystem::path, Folder>;

    [[nodiscard]] Folders wanted() const;
    static void want(Folders& out, const std::filesystem::path& folder, const std::string& name);
    static void want_target_of(Folders& out, const std::filesystem::path& link);
    void arm();
    bool watch(const Folders& folders);
    void take();
    void take(const inotify_event& event);
    [[nodiscard]] bool concerns(const Folder& folder, std::uint32_t mask, const std::string& name);
    void note_growth(int watch, std::uint32_t mask, const std::string& name);
    void settle();
    void wait_a_turn();
    [[nodiscard]] bool being_written();
    void fail(const std::string& what, int error);

    EventLoop& loop_;
    const ConfigPaths paths_;
    const Hooks hooks_;
    const std::uint64_t settle_usec_;
    int fd_ = -1;
    EventLoop::Source io_;
    EventLoop::Source timer_;  // armed while something happens; io_ is off then
    std::map<int, Folder> watches_;
    std::set<std::pair<int, std::string>> growing_;  // files that somebody has open for writing
    bool seen_ = false;                              // in this settling time
    bool changed_ = false;                           // since hooks_.changed() was called
    bool lost_a_folder_ = false;
    unsigned turns_ = 0;
    std::string last_failure_;
};

}  // namespace cxlmemd
