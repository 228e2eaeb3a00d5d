// Takes a dax device offline, follows the job, and prints how it ended. Plain sd-bus.
//
//     make && sudo ./offline dax0.0 [SECONDS]
//
// The job is there when the call returns; its end is the signal JobRemoved of the manager. So that it cannot
// be missed, the signal is asked for before the call is made. Exit code 0 if the job is done, 1 else.
#include <systemd/sd-bus.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace {

constexpr const char* name = "org.cxlmemd1";
constexpr const char* root = "/org/cxlmemd1";

struct Release {
    void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
    void operator()(char* text) const { std::free(text); }
};
using Bus = std::unique_ptr<sd_bus, Release>;
using Message = std::unique_ptr<sd_bus_message, Release>;

// sd_bus_error has a destructor of its own.
struct Error {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    ~Error() { sd_bus_error_free(&error); }
};

struct Job {
    std::string path;    // empty until the call has returned
    std::string result;  // empty while it runs
};

int on_job_removed(sd_bus_message* message, void* data, sd_bus_error*) {
    auto* job = static_cast<Job*>(data);
    std::uint32_t id = 0;
    const char* path = nullptr;
    const char* object = nullptr;
    const char* result = nullptr;
    if (sd_bus_message_read(message, "uoos", &id, &path, &object, &result) < 0) return 0;
    if (job->path == path) job->result = result;
    return 0;
}

int on_properties_changed(sd_bus_message* message, void* data, sd_bus_error*) {
    auto* job = static_cast<Job*>(data);
    if (job->path != sd_bus_message_get_path(message)) return 0;
    const char* interface = nullptr;
    if (sd_bus_message_read(message, "s", &interface) < 0) return 0;
    if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return 0;
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        const char* key = nullptr;
        std::uint32_t done = 0;
        if (sd_bus_message_read(message, "s", &key) < 0) return 0;
        if (std::strcmp(key, "BlocksDone") == 0 && sd_bus_message_read(message, "v", "u", &done) >= 0) {
            std::printf("%u blocks\n", done);
        } else if (sd_bus_message_skip(message, "v") < 0) {
            return 0;
        }
        sd_bus_message_exit_container(message);
    }
    return 0;
}

int fail(const char* what, int status, const Error& error) {
    std::fprintf(stderr, "%s: %s\n", what,
                 error.error.message != nullptr ? error.error.message : std::strerror(-status));
    return EXIT_FAILURE;
}

// The job's Error: name and message, both empty if nothing went wrong. It can be read for ten seconds.
std::string error_of(sd_bus* bus, const std::string& job) {
    Error error;
    sd_bus_message* raw = nullptr;
    const char* kind = nullptr;
    const char* text = nullptr;
    if (sd_bus_get_property(bus, name, job.c_str(), "org.cxlmemd1.Job", "Error", &error.error, &raw, "(ss)") <
        0)
        return {};
    const Message reply(raw);
    if (sd_bus_message_read(reply.get(), "(ss)", &kind, &text) < 0) return {};
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s DAX [SECONDS]\n", argv[0]);
        return 2;
    }
    const std::uint64_t timeout_usec = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 60) * 1'000'000;

    sd_bus* raw_bus = nullptr;
    if (const int status = sd_bus_open_system(&raw_bus); status < 0) return fail("bus", status, {});
    const Bus bus(raw_bus);
    Job job;
    int status = sd_bus_match_signal(bus.get(), nullptr, name, root, "org.cxlmemd1.Manager", "JobRemoved",
                                     on_job_removed, &job);
    if (status >= 0) {
        status = sd_bus_add_match(bus.get(), nullptr,
                                  "type='signal',sender='org.cxlmemd1',path_namespace='/org/cxlmemd1/job',"
                                  "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                                  on_properties_changed, &job);
    }
    if (status < 0) return fail("signals", status, {});

    // Names are escaped in paths: dax0.0 is dax0_2e0.
    char* raw_path = nullptr;
    if (sd_bus_path_encode("/org/cxlmemd1/dax", argv[1], &raw_path) < 0) return fail(argv[1], -EINVAL, {});
    const std::unique_ptr<char, Release> device(raw_path);

    Error error;
    sd_bus_message* raw_reply = nullptr;
    status = sd_bus_call_method(bus.get(), name, device.get(), "org.cxlmemd1.DaxDevice", "Offline",
                                &error.error, &raw_reply, "a{sv}", 1, "timeout", "t", timeout_usec);
    const Message reply(raw_reply);
    const char* path = nullptr;
    if (status < 0 || (status = sd_bus_message_read(reply.get(), "o", &path)) < 0) {
        return fail(argv[1], status, error);
    }
    job.path = path;
    std::printf("%s\n", path);

    while (job.result.empty()) {
        status = sd_bus_process(bus.get(), nullptr);
        if (status == 0) status = sd_bus_wait(bus.get(), UINT64_MAX);
        if (status < 0) return fail("bus", status, {});
    }
    const std::string why = error_of(bus.get(), job.path);
    std::printf("%s%s%s\n", job.result.c_str(), why.empty() ? "" : ": ", why.c_str());
    return job.result == "done" ? EXIT_SUCCESS : EXIT_FAILURE;
}
