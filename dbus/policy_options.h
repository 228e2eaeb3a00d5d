// SPDX-License-Identifier: LGPL-2.1-or-later
// The options of the Manager's methods that start no job.
#pragma once

#include <string>
#include <vector>

#include "dbus/options.h"
#include "policy/compile.h"

namespace cxlmemd::bus {

// CheckPolicy: a file, and files a(ss), further ones. No more of them, and no longer names, than a folder
// has.
[[nodiscard]] Result<std::vector<SourceFile>> files_to_check(const std::string& name, const std::string& text,
                                                             const VariantMap& options);

// EffectivePolicy: in_force b.
[[nodiscard]] Result<bool> asks_for_in_force(const VariantMap& options);

// Record: anonymise b, since_usec t.
[[nodiscard]] Result<RecordOptions> record_options(const VariantMap& options);

}  // namespace cxlmemd::bus
