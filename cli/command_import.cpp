// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/import.h"

namespace cxlmemctl {

Result<Exit> import_file(const Args& args, Output& out) {
    const auto file = read_file(args.files.front());
    if (!file) return tl::unexpected(file.error());
    if (!is_bus_string(file->text)) return fail(Exit::failed, file->name + ": not UTF-8 text");
    const Imported imported = import_text(file->name, file->text);
    if (imported.rules.empty()) {
        std::string why;
        for (const std::string& note : imported.notes) why += "; " + note;
        return fail(
            Exit::failed,
            file->name + ": nothing in it brings memory online or sets the mode of a dax device" + why);
    }
    const std::string text = policy_text(file->name, imported);
    if (out.json()) {
        out.document({{"Policy", text}, {"Notes", imported.notes}});
    } else {
        out.text(text);
    }
    return Exit::done;
}

void import_options(OptionSet& set) {
    set.app()
        .add_option_function<std::string>(
            "file", [&args = set.args()](const std::string& word) { args.files = {word}; },
            "daxctl.conf, or *.rules of udev; - for standard input")
        ->required()
        ->type_name("FILE");
}

}  // namespace cxlmemctl
