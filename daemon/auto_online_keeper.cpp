// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/auto_online_keeper.h"

#include <system_error>

#include "daemon/small_file.h"

namespace cxlmemd {

Result<> AutoOnlineKeeper::remember(AutoOnline current) const {
    auto older = remembered();
    if (!older) return fail(older.error());
    if (older->has_value()) return {};
    return replace_small_file(file_, std::string{to_string(current)});
}

Result<std::optional<AutoOnline>> AutoOnlineKeeper::remembered() const {
    auto text = read_small_file(file_);
    if (!text) return fail(text.error());
    if (!text->has_value()) return std::optional<AutoOnline>{};
    return auto_online_from(**text);
}

void AutoOnlineKeeper::forget() const {
    std::error_code ec;
    std::filesystem::remove(file_, ec);
}

}  // namespace cxlmemd
