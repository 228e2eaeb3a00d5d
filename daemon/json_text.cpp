// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/json_text.h"

#include <fmt/format.h>

#include "policy/text.h"

namespace cxlmemd {

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t length = utf8_length(text, at);
        if (length == 0) {
            out += fmt::format("\\\\x{:02x}", byte);
            ++at;
            continue;
        }
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            if (byte == '"' || byte == '\\') out += '\\';
            out += text.substr(at, length);
        }
        at += length;
    }
    return out + '"';
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view json) {
    if (!out_.empty()) out_ += ',';
    out_ += json_string(key);
    out_ += ':';
    out_ += json;
    return *this;
}

JsonList& JsonList::raw(std::string_view json) {
    if (!out_.empty()) out_ += ',';
    out_ += json;
    return *this;
}

}  // namespace cxlmemd
