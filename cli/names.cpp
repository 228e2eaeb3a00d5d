// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace cxlmemctl {
namespace {

constexpr std::size_t listed_at_most = 8;

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_called(const Object& object, std::string_view name, std::optional<Kind> wanted) {
    if (object.path == name || object.name == name) return true;
    const std::string_view word = path_word(object.kind);
    if (object.kind == Kind::job) {
        const std::string_view id = std::string_view(object.name).substr(std::string_view("job ").size());
        if (name == id) return !wanted || wanted == Kind::job;
        return name == fmt::format("job{}", id) || name == fmt::format("job/{}", id);
    }
    return name == fmt::format("{}/{}", word, object.name);
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < listed_at_most; ++i) {
        out += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > listed_at_most) out += fmt::format(" and {} more", names.size() - listed_at_most);
    return out;
}

std::vector<std::string> near_matches(const Objects& objects, std::string_view name,
                                      std::optional<Kind> wanted) {
    std::vector<std::pair<std::size_t, std::string>> near;
    for (const Object& object : objects) {
        if (wanted && object.kind != *wanted) continue;
        const bool part = name.size() >= 2 && object.name.find(name) != std::string::npos;
        const std::size_t distance = part ? 1 : edit_distance(name, object.name);
        if (distance <= 2) near.emplace_back(distance, object.name);
    }
    std::stable_sort(near.begin(), near.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (auto& [distance, text] : near) out.push_back(std::move(text));
    return out;
}

std::string unknown(const Objects& objects, std::string_view name, std::optional<Kind> wanted) {
    const std::string what = wanted ? std::string(readable(*wanted)) : "object";
    const auto near = near_matches(objects, name, wanted);
    if (!near.empty()) return fmt::format("no {} \"{}\"; did you mean {}?", what, name, joined(near));
    std::vector<std::string> existing;
    for (const Object& object : objects) {
        if (!wanted || object.kind == *wanted) existing.push_back(object.name);
    }
    if (existing.empty()) return fmt::format("no {} \"{}\"; there is none at all", what, name);
    return fmt::format("no {} \"{}\"; there is: {}", what, name, joined(existing));
}

std::string wrong_kind(const Object& object, Kind wanted) {
    std::string text =
        fmt::format("{} is a {}, not a {}", object.name, readable(object.kind), readable(wanted));
    std::vector<std::string> names;
    if (wanted == Kind::dax) {
        for (const auto& path : list_of(object.properties, "DaxDevices")) {
            if (path.is_string()) names.push_back(name_of_path(path.get_ref<const std::string&>()));
        }
    }
    if (!names.empty()) text += fmt::format("; name {}", joined(names));
    return text;
}

}  // namespace

Result<Object> resolve(const Objects& objects, std::string_view name, std::optional<Kind> wanted) {
    std::vector<const Object*> found;
    for (const Object& object : objects) {
        if (is_called(object, name, wanted)) found.push_back(&object);
    }
    const auto right = [&](const Object* object) { return !wanted || object->kind == *wanted; };
    if (std::any_of(found.begin(), found.end(), right)) {
        std::erase_if(found, [&](const Object* object) { return !right(object); });
    }
    if (found.empty()) return fail(Exit::failed, unknown(objects, name, wanted));
    if (found.size() > 1) {
        std::vector<std::string> paths;
        for (const Object* object : found) paths.push_back(object->path);
        return fail(Exit::failed, fmt::format("\"{}\" may be {}", name, joined(paths)));
    }
    if (!right(found.front())) return fail(Exit::failed, wrong_kind(*found.front(), *wanted));
    return *found.front();
}

Result<Object> resolve_removable(const Objects& objects, std::string_view name) {
    Objects removable;
    for (const Object& object : objects) {
        if (object.kind == Kind::region || object.kind == Kind::memdev) removable.push_back(object);
    }
    auto found = resolve(removable, name);
    const auto other = resolve(objects, name);
    if (found || !other) return found;
    std::string text =
        fmt::format("{} is a {}, not a region or a memdev", other->name, readable(other->kind));
    const std::string region = text_of(other->properties, "Region");
    if (!name_of_path(region).empty()) text += fmt::format("; it is on {}", name_of_path(region));
    return fail(Exit::failed, text);
}

Result<Object> resolve_releasable(const Objects& objects, std::string_view name) {
    Objects releasable;
    for (const Object& object : objects) {
        if (object.kind == Kind::dax || object.kind == Kind::region || object.kind == Kind::memdev)
            releasable.push_back(object);
    }
    auto found = resolve(releasable, name);
    const auto other = resolve(objects, name);
    if (found || !other) return found;
    return fail(Exit::failed, fmt::format("{} is a {}, not a dax device, a region or a memdev", other->name,
                                          readable(other->kind)));
}

std::vector<std::string> join_job_words(const std::vector<std::string>& words) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "job" && i + 1 < words.size() && is_number(words[i + 1])) {
            out.push_back("job " + words[++i]);
        } else {
            out.push_back(words[i]);
        }
    }
    return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row[b.size()];
}

}  // namespace cxlmemctl
