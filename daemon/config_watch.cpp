// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/config_watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "policy/error.h"

namespace cxlmemd {

namespace fs = std::filesystem;

namespace {

constexpr unsigned most_turns = 20;
constexpr std::size_t most_growing = 4096;
constexpr int most_reads = 64;

constexpr std::uint32_t folder_goes = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t entries = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
constexpr std::uint32_t writing = IN_MODIFY | IN_CLOSE_WRITE;

// What is known of a path without following a link at its end.
bool is_link(const fs::path& path) {
    std::error_code ec;
    return fs::is_symlink(path, ec);
}

bool is_folder(const fs::path& path) {
    std::error_code ec;
    return fs::is_directory(path, ec);
}

bool is_open_for_writing(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return false;
    const bool leased = ::fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    const bool busy = !leased && errno == EAGAIN;
    if (leased) ::fcntl(fd, F_SETLEASE, F_UNLCK);
    ::close(fd);
    return busy;
}

}  // namespace

ConfigWatch::ConfigWatch(EventLoop& loop, ConfigPaths paths, Hooks hooks, std::uint64_t settle_usec)
    : loop_(loop), paths_(std::move(paths)), hooks_(std::move(hooks)), settle_usec_(settle_usec) {
    // Somebody opens a file for writing in the instant of a lease on it (is_open_for_writing).
    std::signal(SIGIO, SIG_IGN);
    fd_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd_ < 0) {
        fail("of the configuration", errno);
        return;
    }
    arm();
    io_ = loop_.add_io(fd_, EPOLLIN, [this] { settle(); });
}

ConfigWatch::~ConfigWatch() {
    io_.reset();
    if (fd_ >= 0) ::close(fd_);
}

// --- What to watch ---

// Each existing folder on the way is watched for being moved away; the one above a folder that is missing,
// or a link, or the last, for what appears there under that name.
void ConfigWatch::want(Folders& out, const fs::path& folder, const std::string& name) {
    std::error_code ec;
    const fs::path whole = fs::absolute(folder, ec).lexically_normal();
    std::vector<std::string> parts;
    for (const fs::path& part : whole.relative_path()) {
        if (!part.empty()) parts.push_back(part.string());
    }
    fs::path at = whole.root_path();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        Folder& here = out[at];
        here.path = at;
        here.mask |= folder_goes;
        const fs::path next = at / parts[i];
        const bool exists = is_folder(next);
        if (!exists || is_link(next) || i + 1 == parts.size()) {
            here.mask |= entries;
            here.interests.push_back({parts[i], false});
        }
        if (!exists) return;
        at = next;
    }
    Folder& here = out[at];
    here.path = at;
    here.mask |= folder_goes | entries | writing;
    here.interests.push_back({name, true});
}

// A link is changed where it leads to, too.
void ConfigWatch::want_target_of(Folders& out, const fs::path& link) {
    if (!is_link(link)) return;
    std::error_code ec;
    const fs::path target = fs::weakly_canonical(link, ec);
    if (ec || target == "/dev/null") return;
    want(out, target.parent_path(), target.filename().string());
}

ConfigWatch::Folders ConfigWatch::wanted() const {
    Folders out;
    for (const fs::path& file : paths_.settings_files) {
        want(out, file.parent_path(), file.filename().string());
        want_target_of(out, file);
    }
    for (const fs::path& dir : paths_.policy_dirs) {
        want(out, dir, "");
        std::error_code ec;
        std::size_t links = 0;
        for (fs::directory_iterator it{dir, ec}; !ec && it != fs::directory_iterator{}; it.increment(ec)) {
            if (!is_policy_name(it->path().filename().string()) || !is_link(it->path())) continue;
            if (++links > max_files) break;  // more than count at all
            want_target_of(out, it->path());
        }
    }
    return out;
}

// False if a folder went away meanwhile, so that what is wanted has changed.
bool ConfigWatch::watch(const Folders& folders) {
    std::map<int, Folder> fresh;
    bool complete = true;
    for (const auto& [path, folder] : folders) {
        const int watch = ::inotify_add_watch(fd_, path.c_str(), folder.mask | IN_ONLYDIR | IN_MASK_ADD);
        if (watch < 0) {
            if (errno == ENOENT || errno == ENOTDIR) {
                complete = false;
            } else if ((folder.mask & entries) != 0) {
                fail("in " + path.string(), errno);
            }
            continue;
        }
        // Two ways may lead to one folder.
        Folder& merged = fresh[watch];
        if (merged.path.empty()) merged.path = path;
        merged.mask |= folder.mask;
        std::ranges::copy(folder.interests, std::back_inserter(merged.interests));
    }
    for (const auto& [watch, folder] : watches_) {
        if (!fresh.contains(watch)) ::inotify_rm_watch(fd_, watch);
    }
    watches_ = std::move(fresh);
    std::erase_if(growing_, [&](const auto& entry) { return !watches_.contains(entry.first); });
    return complete;
}

void ConfigWatch::arm() {
    lost_a_folder_ = false;
    // What appears between looking and watching is found by looking again.
    Folders folders = wanted();
    for (int again = 0; again < 4; ++again) {
        const bool complete = watch(folders);
        Folders now = wanted();
        if (complete && now == folders) return;
        folders = std::move(now);
    }
}

void ConfigWatch::fail(const std::string& what, int error) {
    std::string message = "edited files " + what + " will not be noticed: " + errno_name(error);
    if (message == last_failure_) return;
    last_failure_ = std::move(message);
    hooks_.failed(last_failure_);
}

// --- What happens ---

void ConfigWatch::take() {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
    for (int i = 0; i < most_reads; ++i) {
        const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            take(*event);
            at += sizeof(inotify_event) + event->len;
        }
    }
    if (lost_a_folder_) arm();
}

void ConfigWatch::take(const inotify_event& event) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {  // who writes what is unknown from here on
        growing_.clear();
        seen_ = changed_ = lost_a_folder_ = true;
        return;
    }
    const auto found = watches_.find(event.wd);
    if (found == watches_.end()) return;
    const std::string name = event.len > 0 ? event.name : "";
    if (!concerns(found->second, event.mask, name)) return;
    seen_ = true;
    if ((event.mask & IN_MODIFY) == 0) changed_ = true;
    note_growth(event.wd, event.mask, name);
}

bool ConfigWatch::concerns(const Folder& folder, std::uint32_t mask, const std::string& name) {
    if ((mask & (folder_goes | IN_UNMOUNT | IN_IGNORED)) != 0) {
        lost_a_folder_ = true;
        return true;
    }
    const bool has_files = std::ranges::any_of(folder.interests, &Interest::is_file);
    if (name.empty()) return has_files;  // the folder itself: may it be read?
    bool concerned = false;
    for (const Interest& interest : folder.interests) {
        const bool named = interest.name.empty() ? is_policy_name(name) : name == interest.name;
        if (!interest.is_file && named) concerned = lost_a_folder_ = true;
        // A folder full of links may be changed by exchanging something that they lead through.
        if (interest.is_file && (named || (mask & IN_MOVED_TO) != 0)) concerned = true;
    }
    return concerned;
}

void ConfigWatch::note_growth(int watch, std::uint32_t mask, const std::string& name) {
    if (name.empty() || (mask & IN_ISDIR) != 0) return;
    if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)) != 0) {
        growing_.erase({watch, name});
    } else if ((mask & (IN_CREATE | IN_MODIFY)) != 0 && growing_.size() < most_growing) {
        growing_.insert({watch, name});
    }
}

// What was created or modified is watched until it is closed; but link() and truncate() close nothing. The
// kernel knows who has a file open for writing: then it gives no read lease (fcntl(2), F_SETLEASE).
bool ConfigWatch::being_written() {
    std::erase_if(growing_, [this](const auto& entry) {
        const auto& [watch, name] = entry;
        const auto folder = watches_.find(watch);
        if (folder == watches_.end()) return true;
        if (is_open_for_writing(folder->second.path / name)) return false;
        changed_ = true;
        return true;
    });
    return !growing_.empty();
}

// Each turn of the settling time takes what has happened in it, until nothing has. Meanwhile the kernel
// merges and queues: however much happens, this wakes up once a turn.
void ConfigWatch::settle() {
    timer_.reset();
    seen_ = false;
    take();
    ++turns_;
    if (seen_ && turns_ < most_turns) {
        wait_a_turn();
        return;
    }
    turns_ = 0;
    ::sd_event_source_set_enabled(io_.raw(), SD_EVENT_ON);
    if (being_written() || !changed_) return;  // its end will be an event
    changed_ = false;
    arm();
    hooks_.changed();
}

void ConfigWatch::wait_a_turn() {
    ::sd_event_source_set_enabled(io_.raw(), SD_EVENT_OFF);
    timer_ = loop_.add_timer(settle_usec_, [this] { settle(); });
}

bool ConfigWatch::quiet() {
    if (!io_) return true;
    seen_ = false;
    take();
    if (!seen_) return true;
    changed_ = true;
    wait_a_turn();
    return false;
}

}  // namespace cxlmemd
