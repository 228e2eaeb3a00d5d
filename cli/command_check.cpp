#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "cli/commands.h"
#include "cli/text.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

// The daemon's own limit is 1 MiB a file; more than this is no policy and is not carried over the bus.
constexpr std::size_t read_at_most = 4U << 20U;

struct FileText {
    std::string name;
    std::string text;
};

Result<FileText> read_file(const std::string& name) {
    const bool standard_input = name == "-";
    const std::unique_ptr<FILE, int (*)(FILE*)> opened(
        standard_input ? nullptr : std::fopen(name.c_str(), "re"),
        [](FILE* file) { return std::fclose(file); });
    FILE* file = standard_input ? stdin : opened.get();
    if (file == nullptr) return fail(Exit::failed, fmt::format("{}: {}", name, std::strerror(errno)));
    FileText out{standard_input ? "standard input" : name, {}};
    std::string chunk(65536, '\0');
    while (out.text.size() <= read_at_most) {
        const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file);
        if (got == 0) break;
        out.text.append(chunk, 0, got);
    }
    if (std::ferror(file) != 0) return fail(Exit::failed, fmt::format("{}: {}", name, std::strerror(errno)));
    if (out.text.size() > read_at_most) return fail(Exit::failed, name + ": too large for a policy file");
    return out;
}

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
    if (args.names.empty()) return check_effective(client, out);
    std::vector<FileText> files;
    for (const std::string& name : args.names) {
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

}  // namespace cxlmemctl
