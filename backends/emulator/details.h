// Reads the details of one injected event. Ask for everything first, then finish(): it gives the
// first error (wrong type, missing, out of range), or names a detail that nobody asked for.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "backends/emulator/emulator_backend.h"
#include "policy/error.h"

namespace cxlmemd::emulator {

class Details final {
 public:
    Details(std::string event, const InjectDetails& details) : event_(std::move(event)), details_(details) {}

    [[nodiscard]] std::optional<std::string> text(const std::string& key);
    // A string that a device can be called by.
    [[nodiscard]] std::optional<std::string> device_name(const std::string& key);
    // A string, or an integer as the string that it reads.
    [[nodiscard]] std::optional<std::string> word(const std::string& key);
    [[nodiscard]] std::optional<bool> truth(const std::string& key);
    // Any integer that is not negative, or a string with one ("0x1").
    [[nodiscard]] std::optional<std::uint64_t> number(const std::string& key);
    // The same, or a string with a unit ("4GiB").
    [[nodiscard]] std::optional<std::uint64_t> size(const std::string& key);
    // "mode"; system-ram if it is not there.
    [[nodiscard]] DaxMode mode();
    // -1 to 1023
    [[nodiscard]] std::optional<int> node(const std::string& key);

    // Without it the event is not complete.
    template <class T>
    [[nodiscard]] T needed(std::optional<T> value, const std::string& key) {
        if (!value) wrong(key, "is missing");
        return value.value_or(T{});
    }
    // "KEY REASON" becomes the error, unless there is one.
    void wrong(const std::string& key, const std::string& reason);

    [[nodiscard]] Result<> finish() const;

 private:
    [[nodiscard]] const InjectValue* find(const std::string& key);
    [[nodiscard]] Error error(std::string reason) const;

    std::string event_;
    const InjectDetails& details_;
    std::set<std::string> asked_;
    std::optional<Error> error_;
};

}  // namespace cxlmemd::emulator
