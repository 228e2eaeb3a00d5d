// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/door.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "dbus/guard.h"
#include "dbus/names.h"
#include "dbus/reply_budget.h"
#include "policy/compile.h"

namespace cxlmemd::bus {

namespace {

constexpr const char* properties = "org.freedesktop.DBus.Properties";
// As for names of interfaces and members in the specification.
constexpr std::size_t max_bus_name_bytes = 255;
// The longest path of ours is a name of 255 bytes, each escaped as _xx.
constexpr std::size_t max_path_bytes = 1024;
// Nothing of ours is nested deeper than a{sv} with a(ss); sd-bus itself goes down to 128.
constexpr std::size_t max_depth = 8;

bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

std::size_t size_of(char type) {
    switch (type) {
        case SD_BUS_TYPE_BYTE: return 1;
        case SD_BUS_TYPE_INT16:
        case SD_BUS_TYPE_UINT16: return 2;
        case SD_BUS_TYPE_INT64:
        case SD_BUS_TYPE_UINT64:
        case SD_BUS_TYPE_DOUBLE: return 8;
        default: return 4;
    }
}

// Walks through a message; the reason why it is refused, if it is.
class Walk final {
 public:
    Walk(sd_bus_message* message, const CallBudget& budget) : message_(message), budget_(budget) {}

    std::optional<std::string> refusal() {
        values(0);
        return refusal_;
    }
    // Of all values, as far as it went.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
    // All values of the container that is open.
    void values(std::size_t depth) {
        while (!refusal_) {
            char type = 0;
            const char* contents = nullptr;
            const int found = ::sd_bus_message_peek_type(message_, &type, &contents);
            if (found < 0) return malformed();
            if (found == 0) return;
            if (++values_ > budget_.values) {
                return refuse(fmt::format("the call carries more than {} values", budget_.values));
            }
            switch (type) {
                case SD_BUS_TYPE_ARRAY:
                case SD_BUS_TYPE_VARIANT:
                case SD_BUS_TYPE_STRUCT:
                case SD_BUS_TYPE_DICT_ENTRY: container(type, contents, depth); break;
                case SD_BUS_TYPE_STRING:
                case SD_BUS_TYPE_OBJECT_PATH:
                case SD_BUS_TYPE_SIGNATURE: string(type); break;
                default: number(type);
            }
        }
    }

    void container(char type, const char* contents, std::size_t depth) {
        if (depth == max_depth) return refuse("its arguments are nested too deep");
        // The signature belongs to the message, which may move it.
        const std::string inner{contents};
        if (::sd_bus_message_enter_container(message_, type, inner.c_str()) < 0) return malformed();
        values(depth + 1);
        if (!refusal_ && ::sd_bus_message_exit_container(message_) < 0) malformed();
    }

    void string(char type) {
        const char* text = nullptr;
        if (::sd_bus_message_read_basic(message_, type, static_cast<void*>(&text)) < 0) return malformed();
        const std::size_t size = std::strlen(text);
        if (size > budget_.string) {
            return refuse(
                fmt::format("it carries a text of {} bytes; {} are the limit", size, budget_.string));
        }
        if (strings_++ < budget_.names &&
            (size > max_bus_name_bytes || !std::all_of(text, text + size, is_name_byte))) {
            return refuse("it asks for a name that no interface and no property can have");
        }
        count(size);
    }

    void number(char type) {
        // Eight bytes take every type but the strings; a file descriptor stays the message's.
        std::array<char, 8> value{};
        if (::sd_bus_message_read_basic(message_, type, static_cast<void*>(value.data())) < 0)
            return malformed();
        count(size_of(type));
    }

    void count(std::size_t bytes) {
        bytes_ += bytes;
        if (bytes_ > budget_.bytes) {
            refuse(fmt::format("the call carries more than {} bytes", budget_.bytes));
        }
    }

    void malformed() { refuse("its arguments cannot be read"); }
    void refuse(std::string reason) {
        if (!refusal_) refusal_ = std::move(reason);
    }

    sd_bus_message* message_;
    const CallBudget& budget_;
    std::size_t bytes_ = 0;
    std::size_t values_ = 0;
    std::size_t strings_ = 0;
    std::optional<std::string> refusal_;
};

std::optional<std::string> refusal_of(sd_bus_message* message, std::string_view interface,
                                      std::string_view member, std::size_t& bytes) {
    const char* path = ::sd_bus_message_get_path(message);
    if (path != nullptr && std::strlen(path) > max_path_bytes)
        return "there is no object with so long a path";
    const CallBudget budget = budget_of(interface, member);
    Walk walk{message, budget};
    auto refusal = walk.refusal();
    bytes = walk.bytes();
    // The handler reads from the beginning.
    if (!refusal && ::sd_bus_message_rewind(message, 1) < 0) return "its arguments cannot be read";
    return refusal;
}

std::string_view view(const char* text) {
    return text != nullptr ? std::string_view{text} : std::string_view{};
}

int refuse(sd_bus_message* message, const Error& error) {
    const int sent =
        ::sd_bus_reply_method_errorf(message, bus_error_name(error.code).c_str(), "%s", error.text().c_str());
    return sent < 0 ? sent : 1;
}

}  // namespace

CallBudget budget_of(std::string_view interface, std::string_view member) {
    const bool is_of_properties = member == "Get" || member == "GetAll" || member == "Set";
    if (is_of_properties && (interface.empty() || interface == properties)) {
        return {.bytes = 1024, .values = 8, .names = member == "GetAll" ? std::size_t{1} : std::size_t{2}};
    }
    if (member == "CheckPolicy") {
        // What is beyond the limits of the policy language is the compiler's to say, with its place; this is
        // what it takes to ask for all that it allows, and names.
        return {.bytes = max_total_bytes + max_files * (max_name_bytes + 1),
                .string = max_total_bytes,
                .values = 16 + 4 * max_files};
    }
    return {};
}

Door::Door(sdbus::IConnection& connection, std::function<Sizes()> sizes)
    : sizes_(std::move(sizes)), unread_(connection), filter_(nullptr, &::sd_bus_slot_unref) {
    sd_bus_slot* slot = nullptr;
    const int added = ::sd_bus_add_filter(raw_bus(connection), &slot, on_message, this);
    if (added < 0) {
        throw to_bus_error({.code = ErrorCode::failed, .operation = "add_filter", .errnum = -added});
    }
    filter_.reset(slot);
}

// 1: the call is answered; 0: whoever it is for may have it.
int Door::look_at(sd_bus_message* message) {
    if (::sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return 0;
    const std::string_view interface = view(::sd_bus_message_get_interface(message));
    const std::string_view member = view(::sd_bus_message_get_member(message));
    std::size_t asked_bytes = 0;
    if (const auto refusal = refusal_of(message, interface, member, asked_bytes)) {
        return refuse(message, {.code = ErrorCode::invalid_argument,
                                .operation = std::string{member},
                                .reason = *refusal,
                                .advice = "nothing of it was read"});
    }
    if (::sd_bus_message_get_expect_reply(message) <= 0) return 0;
    const std::size_t bytes = answer_bytes(message, asked_bytes);
    if (bytes > max_reply_bytes) {
        return refuse(message, {.code = ErrorCode::failed,
                                .operation = std::string{member},
                                .reason = "the answer would be larger than 16 MiB",
                                .advice = "ask for one object at a time"});
    }
    const auto verdict = unread_.admit(std::string{view(::sd_bus_message_get_sender(message))}, bytes);
    return verdict == Unread::Verdict::answer ? 0 : refuse_unread(message, verdict);
}

int Door::refuse_unread(sd_bus_message* message, Unread::Verdict verdict) const {
    if (verdict == Unread::Verdict::ignore) return 1;
    return refuse(message, {.code = ErrorCode::busy,
                            .operation = std::string{view(::sd_bus_message_get_member(message))},
                            .reason = "too many bytes of earlier answers have not been read",
                            .advice = "read them, then call again"});
}

// An estimate: what it is wrong by is put right by what the broker says of the caller.
std::size_t Door::answer_bytes(sd_bus_message* message, std::size_t asked_bytes) const {
    constexpr std::size_t of_an_object = 2048;
    constexpr std::size_t of_an_explanation = std::size_t{16} * 1024;
    const std::string_view interface = view(::sd_bus_message_get_interface(message));
    const std::string_view member = view(::sd_bus_message_get_member(message));
    if (member == "GetManagedObjects") return sizes_().everything;
    // Its longest problems have forty bytes for each byte of text.
    if (member == "CheckPolicy") return std::min(max_problem_bytes, of_an_object + asked_bytes * 40);
    if (member == "Explain" || member == "Introspect") return of_an_explanation;
    if (member == "Get" || member == "GetAll") {
        return view(::sd_bus_message_get_path(message)) == root_path ? sizes_().manager : of_an_object;
    }
    // Those with plans, decisions, records, and what has no word of its interface.
    if (interface == "org.cxlmemd1.Manager" || interface == "org.cxlmemd1.Emulator" || interface.empty()) {
        return std::min(sizes_().everything, max_reply_bytes);
    }
    return of_an_object;
}

// Nothing may unwind through sd-bus.
int Door::on_message(sd_bus_message* message, void* door, sd_bus_error*) noexcept {
    try {
        return static_cast<Door*>(door)->look_at(message);
    } catch (const std::exception&) {
        return -ENOMEM;
    }
}

}  // namespace cxlmemd::bus
