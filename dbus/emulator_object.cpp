// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/emulator_object.h"

#include <memory>
#include <optional>

#include "dbus/names.h"
#include "policy/text.h"

namespace cxlmemd::bus {

namespace {

template <class From, class To = From>
bool take(const sdbus::Variant& variant, std::optional<InjectValue>& out) {
    if (!variant.containsValueOfType<From>()) return false;
    out = InjectValue{static_cast<To>(variant.get<From>())};
    return true;
}

// Events and details are short words, and errors name them.
Result<> is_word(const std::string& word) {
    if (word.size() <= 60 && !has_control_character(word)) return {};
    return fail(Error{.code = ErrorCode::invalid_argument,
                      .object = in_quotes(word),
                      .operation = "inject",
                      .reason = "there is no event and no detail of that name"});
}

Result<InjectValue> to_value(const std::string& key, const sdbus::Variant& variant) {
    std::optional<InjectValue> out;
    // Whatever integer type a caller at the command line found natural.
    if (take<bool>(variant, out) || take<std::string>(variant, out) || take<double>(variant, out) ||
        take<std::int64_t>(variant, out) || take<std::uint64_t>(variant, out) ||
        take<std::int32_t, std::int64_t>(variant, out) || take<std::uint32_t, std::uint64_t>(variant, out) ||
        take<std::int16_t, std::int64_t>(variant, out) || take<std::uint16_t, std::uint64_t>(variant, out) ||
        take<std::uint8_t, std::uint64_t>(variant, out)) {
        return *out;
    }
    return fail(Error{.code = ErrorCode::invalid_argument,
                      .object = in_quotes(key),
                      .operation = "inject",
                      .reason = "a detail is a boolean, an integer, a double or a string"});
}

}  // namespace

EmulatorObject::EmulatorObject(sdbus::IConnection& connection, Inject_fn inject, Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{emulator_path}),
      inject_(std::move(inject)),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void EmulatorObject::Inject(sdbus::Result<>&& result, std::string event, VariantMap details) {
    const auto inject = [this, event, details](std::uint32_t, const std::shared_ptr<Reply<>>& reply) {
        Details values;
        unwrap(is_word(event));
        for (const auto& [key, variant] : details) {
            unwrap(is_word(key));
            values.emplace(key, unwrap(to_value(key, variant)));
        }
        inject_(event, std::move(values), [reply](cxlmemd::Result<> outcome) {
            // What it was done to is what the caller called it.
            if (!outcome) outcome.error().object = visible_part(outcome.error().object, 60);
            reply->send([&] { unwrap(outcome); });
        });
    };
    gate_.pass_later("Inject", "emulator", std::move(result), inject);
}

}  // namespace cxlmemd::bus
