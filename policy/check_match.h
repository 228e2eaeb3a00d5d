// SPDX-License-Identifier: LGPL-2.1-or-later
// [rule.match] -> Match.
#pragma once

#include "policy/fields.h"
#include "policy/policy.h"

namespace cxlmemd {

// The words of a device's kind, which [rule.match] and [[node]] share.
[[nodiscard]] std::span<const Word<DaxKind>> kind_words();

// 0..1023: no kernel is built for more nodes (NODES_SHIFT is at most 10).
[[nodiscard]] Parsed<NodeId> node_id(std::string_view key, const syntax::Value& value);

// A number, or a string in decimal or 0x hex.
[[nodiscard]] Parsed<std::uint64_t> serial(std::string_view key, const syntax::Value& value);

[[nodiscard]] Parsed<DaxKind> dax_kind(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<int> qos_class(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<std::string> nvdimm_uuid(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<std::string> virtualization(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<std::string> kernel_version(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<Backing> backing(std::string_view key, const syntax::Value& value);

[[nodiscard]] Match check_match(const Fields& fields);

}  // namespace cxlmemd
