// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/flight_ring.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "daemon/call_record.h"

namespace cxlmemd {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t gathered_enough = std::size_t{64} << 10U;
constexpr auto farewell = std::chrono::seconds{2};

struct NewFile {};
struct Reading {
    FlightRing::Work work;
    std::function<void(Result<std::string>)> then;
};
using Making = std::function<std::string()>;
using Item = std::variant<std::string, Making, NewFile, Reading>;

struct Answer {
    std::function<void(Result<std::string>)> then;
    Result<std::string> outcome;
};

Error file_error(const fs::path& path, const char* operation, int errnum, const char* reason) {
    return {.code = code_of_errno(errnum),
            .object = path.string(),
            .operation = operation,
            .errnum = errnum,
            .reason = reason,
            .advice = {}};
}

// What is not there has no lines; what is there and cannot be read has an errno. Longer than any file that is
// written here: EFBIG.
int read_text(const fs::path& path, std::size_t most, std::string& text) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? 0 : errno;
    std::string piece(65536, '\0');
    int error = 0;
    while (error == 0) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got == 0) break;
        if (got < 0) {
            error = errno == EINTR ? 0 : errno;
            continue;
        }
        text.append(piece, 0, static_cast<std::size_t>(got));
        if (text.size() > most) error = EFBIG;
    }
    ::close(fd);
    return error;
}

Result<> add_lines(const fs::path& path, std::size_t most, FlightLines& out) {
    std::string text;
    if (const int error = read_text(path, most, text); error != 0)
        return fail(file_error(path, "read", error, "the flight recorder's file cannot be read"));
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (end != at) out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return {};
}

}  // namespace

// What the thread has beside the loop: it may outlive the ring.
struct FlightRing::Shared {
    explicit Shared(fs::path where, std::size_t limit) : folder(std::move(where)), file_limit(limit) {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() {
        if (fd >= 0) ::close(fd);
        ::close(wake_fd);
    }

    const fs::path folder;
    const std::size_t file_limit;
    int wake_fd = -1;
    std::atomic<std::size_t> written = 0;  // bytes of the newer file

    std::mutex mutex;  // guards the seven below
    std::condition_variable work;
    std::condition_variable finished;
    std::deque<Item> items;
    std::size_t bytes = 0;  // of them
    std::vector<Answer> answers;
    std::optional<Error> failed;
    bool ends = false;
    bool ended = false;

    // The thread's own.
    int fd = -1;
    bool is_off = false;

    void run();
    void carry_out(Item item);
    [[nodiscard]] Result<std::string> read_and(const Work& take) const;
    void write(std::string_view text);
    bool open_file();
    void give_up(const char* operation, int errnum);
    void wake() const {
        const std::uint64_t one = 1;
        while (::write(wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
    [[nodiscard]] fs::path newer() const { return folder / newer_name; }
    [[nodiscard]] fs::path older() const { return folder / older_name; }
};

void FlightRing::Shared::run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::unique_lock lock{mutex};
    while (true) {
        work.wait(lock, [this] { return ends || !items.empty(); });
        if (items.empty()) break;
        Item item = std::move(items.front());
        items.pop_front();
        if (const auto* text = std::get_if<std::string>(&item)) bytes -= text->size();
        lock.unlock();
        carry_out(std::move(item));
        lock.lock();
    }
    ended = true;
    finished.notify_all();
}

void FlightRing::Shared::carry_out(Item item) {
    if (const auto* text = std::get_if<std::string>(&item)) return write(*text);
    if (const auto* make = std::get_if<Making>(&item)) {
        try {
            return write((*make)() + "\n");
        } catch (const std::exception&) {
            return write("{\"what\":\"lost\",\"why\":\"the machine could not be written down\"}\n");
        }
    }
    if (std::holds_alternative<NewFile>(item)) {
        if (fd >= 0) ::close(fd);
        fd = -1;
        is_off = false;
        if (::rename(newer().c_str(), older().c_str()) != 0 && errno != ENOENT) give_up("rename", errno);
        return;
    }
    auto& reading = std::get<Reading>(item);
    Answer answer{std::move(reading.then), {}};
    try {
        answer.outcome = read_and(reading.work);
    } catch (const std::exception& e) {
        answer.outcome = fail({.code = ErrorCode::failed, .operation = "record", .reason = e.what()});
    }
    {
        const std::lock_guard lock{mutex};
        answers.push_back(std::move(answer));
    }
    wake();
}

Result<std::string> FlightRing::Shared::read_and(const Work& take) const {
    FlightLines lines;
    for (const fs::path& path : {older(), newer()}) {
        // A machine may be as long as a topology file, beyond a file's own limit.
        if (auto read = add_lines(path, 4 * file_limit, lines); !read) return fail(read.error());
    }
    if (is_off)
        lines.emplace_back(R"({"what":"lost","why":"the recording has stopped, the daemon's log says why"})");
    return take(lines);
}

bool FlightRing::Shared::open_file() {
    if (fd >= 0) return true;
    std::error_code ec;
    fs::create_directories(folder, ec);
    fd = ::open(newer().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st {};
    if (fd < 0 || ::fstat(fd, &st) != 0) return false;
    written = static_cast<std::size_t>(st.st_size);
    // A crash or a full disk may have cut a line off.
    const ssize_t ignored = st.st_size > 0 ? ::write(fd, "\n", 1) : 0;
    static_cast<void>(ignored);
    return true;
}

void FlightRing::Shared::write(std::string_view text) {
    if (is_off) return;
    if (!open_file()) return give_up("open", errno);
    while (!text.empty()) {
        const ssize_t done = ::write(fd, text.data(), text.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return give_up("write", errno);
        text.remove_prefix(static_cast<std::size_t>(done));
        written += static_cast<std::size_t>(done);
    }
}

void FlightRing::Shared::give_up(const char* operation, int errnum) {
    is_off = true;
    if (fd >= 0) ::close(fd);
    fd = -1;
    {
        const std::lock_guard lock{mutex};
        failed = file_error(newer(), operation, errnum, "the flight recorder's file cannot be written");
    }
    wake();
}

FlightRing::FlightRing(EventLoop& loop, fs::path folder, std::function<void(const Error&)> on_failed,
                       FlightLimits limits)
    : loop_(loop),
      limits_(limits),
      on_failed_(std::move(on_failed)),
      shared_(std::make_shared<Shared>(std::move(folder), limits.file_bytes)) {
    shared_->wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shared_->wake_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    struct stat st {};
    if (::stat(shared_->newer().c_str(), &st) == 0) shared_->written = static_cast<std::size_t>(st.st_size);
    results_ = loop_.add_io(shared_->wake_fd, EPOLLIN, [this] { take_results(); });
    std::thread{[shared = shared_] { shared->run(); }}.detach();
}

FlightRing::~FlightRing() {
    flush();
    std::unique_lock lock{shared_->mutex};
    shared_->ends = true;
    shared_->work.notify_one();
    shared_->finished.wait_for(lock, farewell, [this] { return shared_->ended; });
}

void FlightRing::append(std::string line) {
    if (failed_usec_ != 0) {
        ++lost_;
        return;
    }
    gathered_ += line;
    gathered_ += '\n';
    if (gathered_.size() >= gathered_enough) return hand_over();
    if (!gather_timer_) gather_timer_ = loop_.add_timer(limits_.gather_usec, [this] { hand_over(); });
}

void FlightRing::append_later(std::function<std::string()> make) {
    if (failed_usec_ != 0) {
        ++lost_;
        return;
    }
    flush();
    const std::lock_guard lock{shared_->mutex};
    shared_->items.emplace_back(std::move(make));
    shared_->work.notify_one();
}

void FlightRing::flush() {
    if (!gathered_.empty()) hand_over();
}

void FlightRing::hand_over() {
    gather_timer_.reset();
    std::string text = std::exchange(gathered_, {});
    const std::lock_guard lock{shared_->mutex};
    if (shared_->bytes + text.size() > limits_.queue_bytes) {
        for (const char byte : text) lost_ += byte == '\n' ? 1 : 0;
        return;
    }
    shared_->bytes += text.size();
    shared_->items.emplace_back(std::move(text));
    shared_->work.notify_one();
}

bool FlightRing::full() const {
    return failed_usec_ == 0 && shared_->written + gathered_.size() >= limits_.file_bytes;
}

void FlightRing::begin_new_file() {
    flush();
    failed_usec_ = 0;
    shared_->written = 0;
    const std::lock_guard lock{shared_->mutex};
    shared_->items.emplace_back(NewFile{});
    shared_->work.notify_one();
}

bool FlightRing::wants_new_beginning() const {
    return failed_usec_ != 0 && loop_.now_usec() >= failed_usec_ + limits_.retry_usec;
}

std::uint64_t FlightRing::take_lost() {
    return std::exchange(lost_, 0);
}

void FlightRing::read(Work work, std::function<void(Result<std::string>)> then) {
    flush();
    const std::lock_guard lock{shared_->mutex};
    shared_->items.emplace_back(Reading{std::move(work), std::move(then)});
    shared_->work.notify_one();
}

void FlightRing::take_results() {
    std::uint64_t count = 0;
    if (::read(shared_->wake_fd, &count, sizeof count) < 0) return;
    std::vector<Answer> answers;
    std::optional<Error> failed;
    {
        const std::lock_guard lock{shared_->mutex};
        answers.swap(shared_->answers);
        failed = std::exchange(shared_->failed, std::nullopt);
    }
    if (failed) {
        failed_usec_ = std::max<std::uint64_t>(loop_.now_usec(), 1);
        on_failed_(*failed);
    }
    for (Answer& answer : answers) answer.then(std::move(answer.outcome));
}

}  // namespace cxlmemd
