// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/competitors.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <utility>

#include "backends/linux/sysfs.h"
#include "backends/linux/udev_rules.h"
#include "policy/error.h"

namespace cxlmemd {

namespace {

// When a file was last changed, and its size: an edit in place does not change the folder.
struct Stamp {
    std::string path;
    std::int64_t changed = 0;  // ns
    std::uint64_t inode = 0;
    std::int64_t size = 0;

    bool operator==(const Stamp&) const = default;
};

struct Kind {
    std::string_view below;   // of each root: "udev/rules.d"
    std::string_view ending;  // of the files that count
    std::string_view what;    // what such a file is, for one that cannot be read
    std::vector<Competitor> (*read)(const std::string&, std::string_view);
};
constexpr Kind udev{"udev/rules.d", ".rules", "a file of udev rules", competitors_in_udev_rules};
constexpr Kind tmpfiles{"tmpfiles.d", ".conf", "a file of tmpfiles.d", competitors_in_tmpfiles};
constexpr Kind daxctl{"daxctl.conf.d", ".conf", "a daxctl configuration", competitors_in_daxctl_conf};

struct Folder {
    std::string path;
    const Kind* kind;
};

// In the order in which they are looked for: an earlier folder's file masks one of the same name in a later
// one.
std::vector<Folder> folders(const LinuxPaths& paths) {
    std::vector<Folder> out;
    for (const Kind* kind : {&udev, &tmpfiles}) {
        for (const std::string& root : {paths.etc, paths.run, paths.local_lib, paths.lib})
            out.push_back({root + "/" + std::string{kind->below}, kind});
    }
    out.push_back({paths.etc + "/" + std::string{daxctl.below}, &daxctl});
    return out;
}

std::optional<Stamp> stamp_of(const std::string& path) {
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0) return std::nullopt;
    return Stamp{path, std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec,
                 std::uint64_t{st.st_ino}, std::int64_t{st.st_size}};
}

std::string with_errno(std::string_view what, int errnum) {
    return fmt::format("{} that cannot be read ({})", what, errno_name(errnum));
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> out;
    while (true) {
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r")));
        if (line.empty()) return out;
        const std::size_t end = std::min(line.size(), line.find_first_of(" \t\r"));
        out.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

template <class Visit>
void visit_lines(std::string_view text, Visit visit) {
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t start = line.find_first_not_of(" \t");
        if (start != std::string_view::npos && line[start] != '#') visit(number, line.substr(start));
    }
}

}  // namespace

std::vector<Competitor> competitors_in_daxctl_conf(const std::string& path, std::string_view text) {
    std::vector<Competitor> out;
    visit_lines(text, [&](std::size_t number, std::string_view line) {
        if (line.find("[reconfigure-device") == std::string_view::npos) return;
        out.push_back({path + ":" + std::to_string(number), "a daxctl configuration", Zone::none});
    });
    return out;
}

std::vector<Competitor> competitors_in_tmpfiles(const std::string& path, std::string_view text) {
    std::vector<Competitor> out;
    visit_lines(text, [&](std::size_t number, std::string_view line) {
        const std::vector<std::string_view> words =
            words_of(line);  // type, path, mode, user, group, age, argument
        constexpr std::size_t argument = 6;
        const bool writes = words.size() > argument &&
                            std::string_view{"wfF"}.find(words[0].front()) != std::string_view::npos;
        if (!writes || words[1].find("auto_online_blocks") == std::string_view::npos) return;
        const std::string_view value = words[argument];
        if (value == "offline") return;
        out.push_back({path + ":" + std::to_string(number),
                       "a tmpfiles.d line that writes auto_online_blocks",
                       value.starts_with("online_movable") ? Zone::movable : Zone::kernel});
    });
    return out;
}

struct Competitors::Seen {
    std::vector<Stamp> stamps;
    std::vector<Competitor> unread;  // folders
};

Competitors::Competitors(LinuxPaths paths) : paths_(std::move(paths)) {}
Competitors::~Competitors() = default;

const std::vector<Competitor>& Competitors::look() {
    std::vector<Stamp> now;
    std::vector<std::pair<std::string, const Kind*>> files;
    std::vector<Competitor> unread;
    std::set<std::pair<const Kind*, std::string>> masked;
    for (const Folder& folder : folders(paths_)) {
        auto names = sysfs::list(folder.path);
        if (!names) {
            if (!sysfs::is_absence(names.error()) && names.error() != ENOTDIR)
                unread.push_back({folder.path, with_errno("a folder", names.error()), Zone::none,
                                  CompetitorKind::may_online});
            continue;
        }
        std::ranges::sort(*names);
        for (const std::string& name : *names) {
            if (!name.ends_with(folder.kind->ending) || !masked.emplace(folder.kind, name).second) continue;
            const std::string path = folder.path + "/" + name;
            // A link to nowhere masks as one to /dev/null does.
            if (auto stamp = stamp_of(path)) {
                now.push_back(std::move(*stamp));
                files.emplace_back(path, folder.kind);
            }
        }
    }
    if (seen_ && seen_->stamps == now && seen_->unread == unread) return found_;
    found_ = unread;
    seen_ = std::make_unique<Seen>(Seen{std::move(now), std::move(unread)});
    for (const auto& [path, kind] : files) {
        const auto text = sysfs::read(path);
        if (text) {
            std::ranges::move(kind->read(path, *text), std::back_inserter(found_));
        } else if (!sysfs::is_absence(text.error())) {
            found_.push_back(
                {path, with_errno(kind->what, text.error()), Zone::none, CompetitorKind::may_online});
            seen_.reset();  // it may be read next time, and nothing tells
        }
    }
    return found_;
}

}  // namespace cxlmemd
