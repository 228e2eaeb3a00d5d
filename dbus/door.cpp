#include "dbus/door.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "dbus/guard.h"
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
                                      std::string_view member) {
    const char* path = ::sd_bus_message_get_path(message);
    if (path != nullptr && std::strlen(path) > max_path_bytes)
        return "there is no object with so long a path";
    const CallBudget budget = budget_of(interface, member);
    auto refusal = Walk{message, budget}.refusal();
    // The handler reads from the beginning.
    if (!refusal && ::sd_bus_message_rewind(message, 1) < 0) return "its arguments cannot be read";
    return refusal;
}

std::string_view view(const char* text) {
    return text != nullptr ? std::string_view{text} : std::string_view{};
}

// 1: the call is answered; 0: whoever it is for may have it.
int look_at(sd_bus_message* message) {
    if (::sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return 0;
    const std::string_view member = view(::sd_bus_message_get_member(message));
    const auto refusal = refusal_of(message, view(::sd_bus_message_get_interface(message)), member);
    if (!refusal) return 0;
    const Error error{.code = ErrorCode::invalid_argument,
                      .operation = std::string{member},
                      .reason = *refusal,
                      .advice = "nothing of it was read"};
    const int sent =
        ::sd_bus_reply_method_errorf(message, bus_error_name(error.code).c_str(), "%s", error.text().c_str());
    return sent < 0 ? sent : 1;
}

// Nothing may unwind through sd-bus.
int on_message(sd_bus_message* message, void*, sd_bus_error*) noexcept {
    try {
        return look_at(message);
    } catch (const std::exception&) {
        return -ENOMEM;
    }
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

Door::Door(sdbus::IConnection& connection) : filter_(nullptr, &::sd_bus_slot_unref) {
    sd_bus_slot* slot = nullptr;
    const int added = ::sd_bus_add_filter(raw_bus(connection), &slot, on_message, nullptr);
    if (added < 0) {
        throw to_bus_error({.code = ErrorCode::failed, .operation = "add_filter", .errnum = -added});
    }
    filter_.reset(slot);
}

}  // namespace cxlmemd::bus
