// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that the user names.
#pragma once

#include <string>

#include "cli/failure.h"

namespace cxlmemctl {

struct FileText {
    std::string name;  // for messages
    std::string text;
};

// "-" is standard input. At most 4 MiB: more than any file that is meant to be read here.
[[nodiscard]] Result<FileText> read_file(const std::string& name);

// Whoever reads the file sees all of the old text or all of the new; everybody may. It is made as NAME.XXXXXX
// and renamed.
[[nodiscard]] Result<Exit> replace_file(const std::string& name, const std::string& text);

}  // namespace cxlmemctl
