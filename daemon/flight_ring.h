// SPDX-License-Identifier: LGPL-2.1-or-later
// The flight recorder's files: lines in two files of a bounded size, of which the older one goes when the
// newer is full. A thread of its own writes them, so that no disk holds up the loop; nothing is ever synced.
//
// Lines gather for a second, or until there are 64 KiB of them: at rest there is no timer. A disk that is
// full, or a folder that cannot be written, ends the recording; after ten minutes the next line tries again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/event_loop.h"
#include "policy/error.h"

namespace cxlmemd {

struct FlightLimits {
    std::size_t file_bytes = std::size_t{1} << 20U;   // a file that has so much is full
    std::size_t queue_bytes = std::size_t{4} << 20U;  // what waits for the thread; more is lost, and counted
    std::uint64_t gather_usec = 1'000'000;
    std::uint64_t retry_usec = 600'000'000;
};

// All lines that are kept, oldest first; damaged ones (a crash cut them off) as they are.
using FlightLines = std::vector<std::string>;

// Loop thread.
class FlightRing final {
 public:
    // `on_failed` runs later, once a failure: the recording has stopped. Throws std::system_error if there is
    // no descriptor or no thread left.
    FlightRing(EventLoop& loop, std::filesystem::path folder, std::function<void(const Error&)> on_failed,
               FlightLimits limits = {});
    FlightRing(const FlightRing&) = delete;
    FlightRing& operator=(const FlightRing&) = delete;
    // Writes what waits; a disk that does not take it within two seconds is left behind.
    ~FlightRing();

    // One line, without its newline.
    void append(std::string line);
    // Lines that are put together on the thread, because that takes its time.
    void append_later(std::function<std::string()> make);
    // The newer file is full: what is appended from here on goes to a new one, and the older file goes.
    [[nodiscard]] bool full() const;
    void begin_new_file();
    // The recording had stopped and may go on: what was appended meanwhile is lost.
    [[nodiscard]] bool wants_new_beginning() const;
    // How many lines were lost since the last call.
    [[nodiscard]] std::uint64_t take_lost();
    void flush();

    // `work` runs on the thread, with all lines appended so far, and a last one if the recording has stopped;
    // `then` with what it made, on the loop. A file that is there and cannot be read is an error that names
    // it.
    using Work = std::function<Result<std::string>(const FlightLines&)>;
    void read(Work work, std::function<void(Result<std::string>)> then);

    static constexpr const char* newer_name = "recorder";
    static constexpr const char* older_name = "recorder.old";

 private:
    struct Shared;
    void hand_over();
    void take_results();

    EventLoop& loop_;
    const FlightLimits limits_;
    std::function<void(const Error&)> on_failed_;
    std::string gathered_;
    std::uint64_t lost_ = 0;
    std::uint64_t failed_usec_ = 0;  // when the recording stopped; 0: it goes on
    std::shared_ptr<Shared> shared_;
    EventLoop::Source gather_timer_;
    EventLoop::Source results_;
};

}  // namespace cxlmemd
