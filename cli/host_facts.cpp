// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/host_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

namespace cxlmemctl {
namespace {

constexpr std::size_t most_bytes = 4U << 20U;  // modules.dep has some hundred KiB

using Names = tl::expected<std::vector<std::string>, std::string>;

std::string why(const std::string& path, int error) {
    const char* name = strerrorname_np(error);
    return fmt::format("{}: {} ({})", path, std::strerror(error),
                       name != nullptr ? name : std::to_string(error));
}

bool is_absence(int error) {
    return error == ENOENT || error == ENOTDIR;
}

// A file that the program would find empty masks others; a pipe is no file.
class Tree final {
 public:
    explicit Tree(std::string root) : root_(std::move(root)) {
        while (root_.ends_with('/')) root_.pop_back();
    }

    [[nodiscard]] FileRead read(const std::string& path) const {
        const int fd = ::open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) return absent_or(path, errno);
        FileRead out = read_all(path, fd);
        ::close(fd);
        return out;
    }

    // The first of these that is there.
    [[nodiscard]] FileRead first(const std::vector<std::string>& paths, std::string* where = nullptr) const {
        for (const std::string& path : paths) {
            FileRead out = read(path);
            if (out && !*out) continue;
            if (where != nullptr) *where = path;
            return out;
        }
        return std::nullopt;
    }

    // Sorted. No folder: no names.
    [[nodiscard]] Names list(const std::string& path) const {
        const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir((root_ + path).c_str()), &::closedir);
        if (!folder) {
            const int error = errno;
            if (is_absence(error)) return Names{};
            return tl::unexpected(why(path, error));
        }
        std::vector<std::string> out;
        while (true) {
            errno = 0;
            const dirent* entry = ::readdir(folder.get());
            if (entry == nullptr) break;
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") out.emplace_back(name);
        }
        if (errno != 0) return tl::unexpected(why(path, errno));
        std::sort(out.begin(), out.end());
        return out;
    }

    // Files of these folders with this ending, by name.
    [[nodiscard]] ConfigFiles folders(const std::vector<std::string>& paths, std::string_view ending) const {
        ConfigFiles out;
        std::set<std::string> taken;
        std::vector<std::pair<std::string, std::string>> found;  // name, path
        for (const std::string& path : paths) {
            const Names names = list(path);
            if (!names) {
                out.unread.push_back(names.error());
                continue;
            }
            for (const std::string& name : *names) {
                if (name.ends_with(ending) && taken.insert(name).second)
                    found.emplace_back(name, fmt::format("{}/{}", path, name));
            }
        }
        std::sort(found.begin(), found.end());
        for (const auto& [name, path] : found) add(path, out);
        return out;
    }

    void add(const std::string& path, ConfigFiles& out) const {
        const FileRead text = read(path);
        if (!text) {
            out.unread.push_back(text.error());
        } else if (*text) {
            out.files.push_back({path, **text});
        }
    }

 private:
    static FileRead absent_or(const std::string& path, int error) {
        if (is_absence(error)) return std::nullopt;
        return tl::unexpected(why(path, error));
    }

    static FileRead read_all(const std::string& path, int fd) {
        struct stat st {};
        if (::fstat(fd, &st) != 0) return tl::unexpected(why(path, errno));
        if (S_ISCHR(st.st_mode)) return std::string{};  // /dev/null
        if (!S_ISREG(st.st_mode)) return tl::unexpected(path + ": is not a file");
        std::string out;
        std::array<char, 65536> buffer{};
        while (true) {
            const ssize_t got = ::read(fd, buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return tl::unexpected(why(path, errno));
            if (got == 0) return out;
            out.append(buffer.data(), static_cast<std::size_t>(got));
            if (out.size() > most_bytes) return tl::unexpected(path + ": is larger than 4 MiB");
        }
    }

    std::string root_;
};

// The folder of a program's configuration in each of the places where there may be one, first is strongest.
std::vector<std::string> places(std::string_view below) {
    std::vector<std::string> out;
    for (const char* root : {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"})
        out.push_back(fmt::format("{}/{}", root, below));
    return out;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

// Options and modules of the running kernel.
void read_kernel(const Tree& tree, HostFacts& out) {
    out.release = tree.read("/proc/sys/kernel/osrelease");
    out.command_line = tree.read("/proc/cmdline");
    out.loaded = tree.list("/sys/module");
    if (!out.release || !*out.release) {
        const std::string reason =
            out.release ? "/proc/sys/kernel/osrelease: is not there" : out.release.error();
        out.config = out.built_in = out.loadable = tl::unexpected(reason);
        return;
    }
    const std::string release = first_line(**out.release);
    const std::vector<std::string> modules = {"/lib/modules/" + release, "/usr/lib/modules/" + release};
    out.config = tree.first({"/boot/config-" + release, modules[0] + "/config", modules[1] + "/config"});
    if (out.config && !*out.config) {
        const FileRead packed = tree.read("/proc/config.gz");
        const bool is_there = !packed || *packed;
        out.config = tl::unexpected(
            is_there ? fmt::format("/proc/config.gz: is compressed; zcat it to /boot/config-{}", release)
                     : fmt::format("/boot/config-{}: is not there, nor /proc/config.gz", release));
    }
    const auto needed = [&](const char* name) -> FileRead {
        FileRead text = tree.first({modules[0] + "/" + name, modules[1] + "/" + name});
        if (text && !*text) return tl::unexpected(fmt::format("{}/{}: is not there", modules[0], name));
        return text;
    };
    out.built_in = needed("modules.builtin");
    out.loadable = needed("modules.dep");
}

// https://pcisig.com: class 05 (memory), subclass 02 (CXL).
tl::expected<std::vector<PciCard>, std::string> read_cards(const Tree& tree) {
    const std::string bus = "/sys/bus/pci/devices/";
    const Names functions = tree.list(bus);
    if (!functions) return tl::unexpected(functions.error());
    std::vector<PciCard> out;
    for (const std::string& function : *functions) {
        const FileRead number = tree.read(bus + function + "/class");
        if (!number) return tl::unexpected(number.error());
        if (!*number || !(*number)->starts_with("0x0502")) continue;
        const Names below = tree.list(bus + function);
        if (!below) return tl::unexpected(below.error());
        out.push_back({function, std::any_of(below->begin(), below->end(), [](const std::string& name) {
                           return name.size() > 3 && name.starts_with("mem") && name[3] >= '0' &&
                                  name[3] <= '9';
                       })});
    }
    return out;
}

Names read_kdamonds(const Tree& tree) {
    const Names processes = tree.list("/proc");
    if (!processes) return tl::unexpected(processes.error());
    // Threads of the kernel can be hidden from us (hidepid, containers).
    const FileRead parent = tree.read("/proc/2/comm");
    if (!parent) return tl::unexpected(parent.error());
    if (!*parent || first_line(**parent) != "kthreadd")
        return tl::unexpected(
            std::string("/proc/2/comm: is not that of kthreadd: the kernel's threads are hidden"));
    std::vector<std::string> out;
    for (const std::string& process : *processes) {
        if (process.find_first_not_of("0123456789") != std::string::npos) continue;
        const FileRead name = tree.read("/proc/" + process + "/comm");
        // A process that has ended meanwhile.
        if (name && *name && (*name)->starts_with("kdamond")) out.push_back(first_line(**name));
    }
    return out;
}

Names read_enabled(const Tree& tree) {
    std::vector<std::string> out;
    for (const std::string& place : places("systemd/system")) {
        const Names folders = tree.list(place);
        if (!folders) return tl::unexpected(folders.error());
        for (const std::string& folder : *folders) {
            if (!folder.ends_with(".wants") && !folder.ends_with(".requires")) continue;
            const Names units = tree.list(fmt::format("{}/{}", place, folder));
            if (!units) return tl::unexpected(units.error());
            out.insert(out.end(), units->begin(), units->end());
        }
    }
    return out;
}

// The active profiles of tuned, and what they include.
ConfigFiles read_tuned(const Tree& tree, const FileRead& active) {
    ConfigFiles out;
    if (!active) out.unread.push_back(active.error());
    if (!active || !*active) return out;
    std::vector<std::string> wanted = {**active};
    std::set<std::string> seen;
    while (!wanted.empty()) {
        std::string list = wanted.back();
        wanted.pop_back();
        std::replace_if(
            list.begin(), list.end(), [](char c) { return c == ',' || c == '\n' || c == '\t'; }, ' ');
        for (std::size_t at = 0; at < list.size();) {
            const std::size_t end = std::min(list.find(' ', at), list.size());
            const std::string name = list.substr(at, end - at);
            at = end + 1;
            if (name.empty() || name.find('/') != std::string::npos || !seen.insert(name).second) continue;
            std::string path;
            const std::string file = "/" + name + "/tuned.conf";
            const FileRead text = tree.first({"/etc/tuned" + file, "/etc/tuned/profiles" + file,
                                              "/usr/lib/tuned" + file, "/usr/lib/tuned/profiles" + file},
                                             &path);
            if (!text || !*text) {
                out.unread.push_back(text ? "tuned profile " + name + ": is not there" : text.error());
                continue;
            }
            out.files.push_back({path, **text});
            const std::size_t include = (*text)->find("\ninclude");
            const std::size_t value = include == std::string::npos ? include : (*text)->find('=', include);
            if (value != std::string::npos) wanted.push_back(first_line((*text)->substr(value + 1)));
        }
    }
    return out;
}

}  // namespace

HostFacts read_host(const std::string& root) {
    const Tree tree(root);
    HostFacts out;
    read_kernel(tree, out);
    out.cards = read_cards(tree);
    out.kdamonds = read_kdamonds(tree);
    out.enabled = read_enabled(tree);
    out.damon_stat = tree.read("/sys/module/damon_stat/parameters/enabled");
    out.auto_online = tree.read("/sys/devices/system/memory/auto_online_blocks");
    out.online_policy = tree.read("/sys/module/memory_hotplug/parameters/online_policy");
    out.memmap_on_memory = tree.read("/sys/module/memory_hotplug/parameters/memmap_on_memory");
    if (out.loaded && out.loaded->empty()) {
        // What is not there then is not absent: nobody has mounted it.
        const std::string reason = "/sys/module: is not there: is /sys mounted?";
        out.loaded = tl::unexpected(reason);
        out.cards = tl::unexpected(reason);
        for (FileRead* file : {&out.damon_stat, &out.auto_online, &out.online_policy, &out.memmap_on_memory})
            *file = tl::unexpected(reason);
    }
    out.udev = tree.folders(places("udev/rules.d"), ".rules");
    out.tmpfiles = tree.folders(places("tmpfiles.d"), ".conf");
    out.daxctl = tree.folders({"/etc/daxctl.conf.d"}, ".conf");
    out.modprobe = tree.folders(places("modprobe.d"), ".conf");
    out.tuned_profile = tree.read("/etc/tuned/active_profile");
    out.tuned = read_tuned(tree, out.tuned_profile);
    std::string journal;
    const FileRead main = tree.first(places("systemd/journald.conf"), &journal);
    out.journald = tree.folders(places("systemd/journald.conf.d"), ".conf");
    if (!main) out.journald.unread.push_back(main.error());
    if (main && *main) out.journald.files.insert(out.journald.files.begin(), {journal, **main});
    for (const char* path :
         {"/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf", "/etc/dbus-1/system-local.conf"})
        tree.add(path, out.bus);
    const ConfigFiles bus = tree.folders({"/etc/dbus-1/system.d", "/usr/share/dbus-1/system.d"}, ".conf");
    out.bus.files.insert(out.bus.files.end(), bus.files.begin(), bus.files.end());
    out.bus.unread.insert(out.bus.unread.end(), bus.unread.begin(), bus.unread.end());
    out.polkit = tree.read("/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service");
    out.polkit_actions = tree.read("/usr/share/polkit-1/actions/org.cxlmemd1.policy");
    out.bus_policy = tree.first(
        {"/etc/dbus-1/system.d/org.cxlmemd1.conf", "/usr/share/dbus-1/system.d/org.cxlmemd1.conf"});
    out.settings =
        tree.first({"/etc/cxlmemd/daemon.toml", "/usr/lib/cxlmemd/daemon.toml"}, &out.settings_path);
    return out;
}

}  // namespace cxlmemctl
