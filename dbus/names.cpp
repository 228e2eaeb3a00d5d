// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/names.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace cxlmemd::bus {

namespace {

struct Free {
    void operator()(char* p) const { std::free(p); }  // NOLINT(cppcoreguidelines-no-malloc): sd-bus allocates
};

std::string prefix_of(Noun noun) {
    const std::string root{root_path};
    switch (noun) {
        case Noun::memdev: return root + "/memdev";
        case Noun::region: return root + "/region";
        case Noun::decoder: return root + "/decoder";
        case Noun::dax: return root + "/dax";
        case Noun::node: return root + "/node";
        case Noun::job: return root + "/job";
    }
    return root;
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// sd_bus_path_encode() leaves it as it is.
bool is_plain(std::string_view name) {
    return !name.empty() && is_letter(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

std::string object_path(Noun noun, std::string_view name) {
    if (is_plain(name)) return prefix_of(noun).append(1, '/').append(name);
    char* raw = nullptr;
    if (::sd_bus_path_encode(prefix_of(noun).c_str(), std::string{name}.c_str(), &raw) < 0)
        throw std::bad_alloc{};
    const std::unique_ptr<char, Free> path{raw};
    return path.get();
}

std::optional<ObjectName> object_of_path(const std::string& path) {
    using enum Noun;
    for (const Noun noun : {memdev, region, decoder, dax, node, job}) {
        if (std::string name = name_of_path(noun, path); !name.empty())
            return ObjectName{noun, std::move(name)};
    }
    return std::nullopt;
}

std::string name_of_path(Noun noun, const std::string& path) {
    char* raw = nullptr;
    if (::sd_bus_path_decode(path.c_str(), prefix_of(noun).c_str(), &raw) <= 0 || raw == nullptr) return {};
    const std::unique_ptr<char, Free> name{raw};
    return name.get();
}

}  // namespace cxlmemd::bus
