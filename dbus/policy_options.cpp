#include "dbus/policy_options.h"

#include <fmt/format.h>

namespace cxlmemd::bus {

namespace {

using FileStructs = std::vector<sdbus::Struct<std::string, std::string>>;

Error wrong(const std::string& reason) {
    return {.code = ErrorCode::invalid_argument, .object = "options", .reason = reason};
}

// The value of the only option that a method takes; null if it was not given.
template <class T>
Result<const sdbus::Variant*> only_option(const VariantMap& options, const std::string& name) {
    const sdbus::Variant* found = nullptr;
    for (const VariantMap::value_type& option : options) {
        if (option.first != name) {
            return fail(wrong(fmt::format("unknown option '{}'; this method takes {}", option.first, name)));
        }
        found = &option.second;
        if (!found->containsValueOfType<T>()) {
            return fail(wrong(fmt::format("'{}' has type '{}', it must be '{}'", name,
                                          std::string{found->peekValueType()},
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

Result<std::vector<SourceFile>> more_files(const VariantMap& options) {
    const auto value = only_option<FileStructs>(options, "files");
    if (!value) return fail(value.error());
    std::vector<SourceFile> out;
    if (*value == nullptr) return out;
    for (const auto& file : (*value)->get<FileStructs>()) out.push_back({file.get<0>(), file.get<1>()});
    return out;
}

Result<bool> asks_for_in_force(const VariantMap& options) {
    return only_flag(options, "in_force");
}

Result<bool> asks_to_anonymise(const VariantMap& options) {
    return only_flag(options, "anonymise");
}

}  // namespace cxlmemd::bus
