// SPDX-License-Identifier: LGPL-2.1-or-later
// The words of [rule.match] that ask which machine it is: virtualization as ConditionVirtualization= and
// kernel_version as ConditionKernelVersion= of systemd.unit(5) take them. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "policy/values.h"

namespace cxlmemd {

// "yes", "no", "vm", "container" or one of systemd-detect-virt's words, each with "!" before it for the
// opposite.
[[nodiscard]] Parsed<std::string> parse_virtualization(std::string_view text);
// `fact` is what systemd-detect-virt prints: "none", "kvm", "docker".
[[nodiscard]] bool fits_virtualization(std::string_view word, std::string_view fact);

// Comparisons with blanks between, all of which must hold (">= 6.12 < 7.1"), or a pattern ("6.12.*").
[[nodiscard]] Parsed<std::string> parse_kernel_version(std::string_view text);
// `fact` is what uname -r prints. Numbers count, and -rc, which comes before its version; what a distribution
// adds does not. What is missing is 0.
[[nodiscard]] bool fits_kernel_version(std::string_view condition, std::string_view fact);

}  // namespace cxlmemd
