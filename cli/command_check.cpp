// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/text.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

json problem(const std::string& file, const char* message) {
    return {{"file", file}, {"line", 0}, {"column", 0}, {"severity", "error"}, {"message", message}};
}

template <class Problems>
json to_problems(const Problems& found) {
    json out = json::array();
    for (const auto& p : found) {
        out.push_back({{"file", std::get<0>(p)},
                       {"line", std::get<1>(p)},
                       {"column", std::get<2>(p)},
                       {"severity", std::get<3>(p)},
                       {"message", std::get<4>(p)}});
    }
    return out;
}

// A path as the daemon takes it, which is no longer than a file's name may be: of a long one its end.
std::string name_for_daemon(const std::string& path) {
    constexpr std::size_t most = 255;
    const std::string name = escape(path);
    if (name.size() <= most) return name;
    std::size_t begin = name.size() - (most - 3);
    while (begin < name.size() && (static_cast<unsigned char>(name[begin]) & 0xc0U) == 0x80U) ++begin;
    return "..." + name.substr(begin);
}

// All together, as the daemon would read them.
json check_files(const std::vector<FileText>& files, Client& client) {
    json problems = json::array();
    std::vector<sdbus::Struct<std::string, std::string>> sound;
    for (const FileText& file : files) {
        // The bus would drop the connection for either; the daemon cannot say it.
        if (is_bus_string(file.text)) {
            sound.emplace_back(name_for_daemon(file.name), file.text);
        } else {
            problems.push_back(problem(file.name, "not UTF-8 text"));
        }
    }
    if (sound.empty()) return problems;
    const auto first = sound.front();
    sound.erase(sound.begin());
    std::map<std::string, sdbus::Variant> options;
    if (!sound.empty()) options.emplace("files", sdbus::Variant{sound});
    const auto found = client.manager().CheckPolicy(std::get<0>(first), std::get<1>(first), options);
    for (json& p : to_problems(found)) problems.push_back(std::move(p));
    return problems;
}

// What lies in the daemon's folders.
Exit check_effective(Client& client, Output& out) {
    const auto [rules, files, problems] = client.manager().EffectivePolicy({});
    json effective{{"rules", json::array()}, {"files", json::array()}, {"problems", to_problems(problems)}};
    for (const auto& rule : rules) {
        effective["rules"].push_back({{"file", std::get<0>(rule)},
                                      {"line", std::get<1>(rule)},
                                      {"name", std::get<2>(rule)},
                                      {"match", std::get<3>(rule)},
                                      {"action", std::get<4>(rule)}});
    }
    for (const auto& file : files) {
        effective["files"].push_back({{"path", std::get<0>(file)}, {"masked_by", std::get<1>(file)}});
    }
    if (out.json()) {
        out.document(effective);
    } else {
        out.text(problems_view(effective["problems"], out.paint()));
        out.text(effective_view(effective, out.paint()));
    }
    return has_errors(effective["problems"]) ? Exit::failed : Exit::done;
}

}  // namespace

Result<Exit> check(const Args& args, Client& client, Output& out) {
    if (args.files.empty()) return check_effective(client, out);
    std::vector<FileText> files;
    for (const std::string& name : args.files) {
        auto file = read_file(name);
        if (!file) return tl::unexpected(file.error());
        files.push_back(*std::move(file));
    }
    const json problems = check_files(files, client);
    if (out.json()) {
        out.document(problems);
    } else {
        out.text(problems.empty() ? "no problems\n" : problems_view(problems, out.paint()));
    }
    return has_errors(problems) ? Exit::failed : Exit::done;
}

void check_options(OptionSet& set) {
    set.app().add_option("files", set.args().files, "Policy files, - for standard input")->type_name("FILE");
}

}  // namespace cxlmemctl
