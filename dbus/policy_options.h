// The options of the Manager's methods that start no job.
#pragma once

#include <vector>

#include "dbus/options.h"
#include "policy/compile.h"

namespace cxlmemd::bus {

// CheckPolicy: files a(ss), further files.
[[nodiscard]] Result<std::vector<SourceFile>> more_files(const VariantMap& options);

// EffectivePolicy: in_force b.
[[nodiscard]] Result<bool> asks_for_in_force(const VariantMap& options);

// Record: anonymise b.
[[nodiscard]] Result<bool> asks_to_anonymise(const VariantMap& options);

}  // namespace cxlmemd::bus
