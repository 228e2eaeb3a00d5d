// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/policy_options.h"

#include <fmt/format.h>

#include "policy/text.h"

namespace cxlmemd::bus {

namespace {

using FileStructs = std::vector<sdbus::Struct<std::string, std::string>>;

Error wrong(const std::string& reason) {
    return {.code = ErrorCode::invalid_argument, .object = "options", .reason = reason};
}

Result<> is_file_name(const std::string& name) {
    const char* why = name.size() > max_name_bytes  ? "is longer than 255 bytes"
                      : has_control_character(name) ? "has a control character"
                                                    : nullptr;
    if (why == nullptr) return {};
    return fail({.code = ErrorCode::invalid_argument,
                 .object = "file name " + in_quotes(name),
                 .reason = why,
                 .advice = "name the file as it would be called in a policy folder"});
}

// The value of the only option that a method takes; null if it was not given.
template <class T>
Result<const sdbus::Variant*> only_option(const VariantMap& options, const std::string& name) {
    const sdbus::Variant* found = nullptr;
    for (const VariantMap::value_type& option : options) {
        if (option.first != name) {
            return fail(
                wrong(fmt::format("unknown option {}; this method takes {}", in_quotes(option.first), name)));
        }
        found = &option.second;
        if (!found->containsValueOfType<T>()) {
            return fail(wrong(fmt::format("'{}' has type {}, it must be '{}'", name,
                                          in_quotes(std::string{found->peekValueType()}),
                                          std::string{sdbus::Variant{T{}}.peekValueType()})));
        }
    }
    return found;
}

Result<bool> only_flag(const VariantMap& options, const std::string& name) {
    const auto value = only_option<bool>(options, name);
    if (!value) return fail(value.error());
    return *value != nullptr && (*value)->get<bool>();
}

}  // namespace

Result<std::vector<SourceFile>> files_to_check(const std::string& name, const std::string& text,
                                               const VariantMap& options) {
    const auto value = only_option<FileStructs>(options, "files");
    if (!value) return fail(value.error());
    std::vector<SourceFile> out{{name, text}};
    if (*value != nullptr) {
        for (auto& file : (*value)->get<FileStructs>()) out.push_back({file.get<0>(), file.get<1>()});
    }
    if (out.size() > max_files) {
        return fail(wrong(fmt::format("{} files are too many; {} are the limit", out.size(), max_files)));
    }
    for (const SourceFile& file : out) {
        if (auto fits = is_file_name(file.name); !fits) return fail(fits.error());
    }
    return out;
}

Result<bool> asks_for_in_force(const VariantMap& options) {
    return only_flag(options, "in_force");
}

Result<RecordOptions> record_options(const VariantMap& options) {
    RecordOptions out;
    for (const auto& [key, value] : options) {
        const bool is_flag = key == "anonymise";
        if (!is_flag && key != "since_usec") {
            return fail(wrong(
                fmt::format("unknown option {}; this method takes anonymise, since_usec", in_quotes(key))));
        }
        const bool fits =
            is_flag ? value.containsValueOfType<bool>() : value.containsValueOfType<std::uint64_t>();
        if (!fits) {
            return fail(
                wrong(fmt::format("'{}' has type {}, it must be '{}'", key,
                                  in_quotes(std::string{value.peekValueType()}), is_flag ? "b" : "t")));
        }
        if (is_flag) {
            out.anonymise = value.get<bool>();
        } else {
            out.since_usec = value.get<std::uint64_t>();
        }
    }
    return out;
}

}  // namespace cxlmemd::bus
