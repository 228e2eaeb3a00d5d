#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cli/commands.h"
#include "cli/metrics.h"

namespace cxlmemctl {
namespace {

// Whoever reads the file sees all of the old text or all of the new.
Result<Exit> replace_file(const std::string& name, const std::string& text) {
    const auto failed = [&](const char* what) {
        return fail(Exit::failed, fmt::format("{}: {}: {}", name, what, std::strerror(errno)));
    };
    // node_exporter reads *.prom alone.
    std::string temporary = name + ".XXXXXX";
    const int fd = mkstemp(temporary.data());
    if (fd < 0) return failed("cannot make a file beside it");
    const std::unique_ptr<FILE, int (*)(FILE*)> file(fdopen(fd, "w"), [](FILE* f) { return std::fclose(f); });
    constexpr mode_t for_everyone = 0644;
    const bool written = file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                         std::fflush(file.get()) == 0 && fchmod(fd, for_everyone) == 0;
    if (written && std::rename(temporary.c_str(), name.c_str()) == 0) return Exit::done;
    const auto result = failed("cannot be written");
    unlink(temporary.c_str());
    return result;
}

Result<Exit> give(const Args& args, const std::vector<Family>& families, Output& out) {
    if (!args.output.empty()) return replace_file(args.output, metrics_text(families));
    if (out.json()) {
        out.document(metrics_json(families));
    } else {
        out.text(metrics_text(families));
    }
    return Exit::done;
}

}  // namespace

Result<Exit> metrics(const Args& args, Client& client, Output& out) {
    const nlohmann::json manager = client.manager_properties();
    return give(args, metrics_of(manager, client.objects()), out);
}

Result<Exit> metrics_without_daemon(const Args& args, Output& out) {
    return give(args, metrics_of_nobody(), out);
}

}  // namespace cxlmemctl
