// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/config_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <utility>

#include "temp_dir.h"

namespace cxlmemd {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

constexpr std::uint64_t settle_usec = 10'000;
constexpr std::uint64_t limit_usec = 60'000'000;

// A file that stays open while a test writes pieces of it.
class Writer final {
 public:
    Writer(const fs::path& path, int flags) : fd_(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644)) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() { close(); }

    void write(const std::string& text) const {
        ASSERT_EQ(::write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

 private:
    int fd_;
};

// What a test does before it runs the loop is one burst, however slow the machine is.
class Edits : public ::testing::Test {
 protected:
    void watch(const ConfigPaths& paths) {
        watch_ = std::make_unique<ConfigWatch>(
            loop_, paths,
            ConfigWatch::Hooks{.changed =
                                   [this] {
                                       ++said_;
                                       if (const auto once = std::exchange(when_said_, nullptr)) once();
                                   },
                               .failed = [](const std::string& message) { ADD_FAILURE() << message; }},
            settle_usec);
    }
    void watch() { watch(ConfigPaths::only(dir_.path())); }

    // Waits for it, then a while longer: it was said once.
    void expect_said_once() {
        const int before = said_;
        bool late = false;
        const auto limit = loop_.add_timer(limit_usec, [&] { late = true; });
        while (said_ == before && !late) ::sd_event_run(loop_.raw(), limit_usec);
        expect_nothing_more();
        EXPECT_EQ(said_ - before, 1);
    }
    void expect_nothing_more() {
        const int before = said_;
        bool over = false;
        const auto end = loop_.add_timer(10 * settle_usec, [&] { over = true; });
        while (!over) ::sd_event_run(loop_.raw(), limit_usec);
        EXPECT_EQ(said_, before);
    }

    [[nodiscard]] fs::path policy(const std::string& name) const { return dir_.path() / "policy.d" / name; }

    const TempDir dir_;
    EventLoop loop_;
    int said_ = 0;
    std::function<void()> when_said_;
    std::unique_ptr<ConfigWatch> watch_;
};

TEST_F(Edits, NothingIsSaidWhileNothingHappens) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    expect_nothing_more();
}

TEST_F(Edits, AFileWrittenBesideAndRenamedIsSaidOnce) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    dir_.write("policy.d/.a.toml.XyZ", "2");
    fs::rename(policy(".a.toml.XyZ"), policy("a.toml"));
    expect_said_once();
}

TEST_F(Edits, AFileTruncatedAndWrittenIsSaidOnce) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    dir_.write("policy.d/a.toml", "2");
    expect_said_once();
}

// :w of vim with backupcopy=no: the old file is moved away, a new one written, the old one removed.
TEST_F(Edits, AFileMovedAwayAndWrittenAnewIsSaidOnce) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    dir_.write("policy.d/4913", "");
    fs::remove(policy("4913"));
    fs::rename(policy("a.toml"), policy("a.toml~"));
    dir_.write("policy.d/a.toml", "2");
    fs::permissions(policy("a.toml"), fs::perms::owner_read);
    fs::remove(policy("a.toml~"));
    expect_said_once();
}

TEST_F(Edits, AFileWrittenInPiecesIsSaidWhenItIsClosed) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    Writer writer{policy("a.toml"), O_TRUNC};
    writer.write("[[ru");
    expect_nothing_more();
    writer.write("le]]");
    expect_nothing_more();
    writer.close();
    expect_said_once();
}

TEST_F(Edits, ANewFileWrittenInPiecesIsSaidWhenItIsClosed) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    Writer writer{policy("b.toml"), O_CREAT | O_EXCL};
    expect_nothing_more();
    writer.write("[[ru");
    expect_nothing_more();
    writer.close();
    expect_said_once();
}

TEST_F(Edits, AnotherFileIsNotSaidWhileOneIsHalfWritten) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    Writer writer{policy("a.toml"), O_TRUNC};
    writer.write("[[ru");
    dir_.write("policy.d/b.toml", "2");
    expect_nothing_more();
    writer.close();
    expect_said_once();
}

TEST_F(Edits, AHalfWrittenFileThatIsRemovedHoldsNothingUp) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    Writer writer{policy("a.toml"), O_TRUNC};
    writer.write("[[ru");
    fs::remove(policy("a.toml"));
    expect_said_once();
}

TEST_F(Edits, AHardLinkIsSaidThoughNobodyWritesIt) {
    dir_.write("policy.d/a.toml", "1");
    dir_.write("elsewhere", "2");
    watch();
    fs::create_hard_link(dir_.path() / "elsewhere", policy("b.toml"));
    expect_said_once();
}

TEST_F(Edits, ALinkToDevNullIsSaidAndItsEndToo) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    fs::create_symlink("/dev/null", policy("b.toml"));
    expect_said_once();
    fs::remove(policy("b.toml"));
    expect_said_once();
}

TEST_F(Edits, WhereALinkLeadsToIsWatched) {
    dir_.write("elsewhere/real.toml", "1");
    fs::create_directories(dir_.path() / "policy.d");
    fs::create_symlink(dir_.path() / "elsewhere/real.toml", policy("a.toml"));
    watch();
    dir_.write("elsewhere/real.toml", "2");
    expect_said_once();
    dir_.write("elsewhere/.real", "3");
    fs::rename(dir_.path() / "elsewhere/.real", dir_.path() / "elsewhere/real.toml");
    expect_said_once();
    dir_.write("elsewhere/other.toml", "not ours");
    expect_nothing_more();
}

TEST_F(Edits, RightsAreSaid) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    fs::permissions(policy("a.toml"), fs::perms::owner_read);
    expect_said_once();
}

TEST_F(Edits, SettingsCount) {
    fs::create_directories(dir_.path() / "policy.d");
    watch();
    dir_.write("daemon.toml", "auto_reload = true");
    expect_said_once();
    fs::remove(dir_.path() / "daemon.toml");
    expect_said_once();
}

TEST_F(Edits, FilesThatAreNotReadAreNotSaid) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    dir_.write("policy.d/.a.toml.swp", "x");
    dir_.write("policy.d/README", "x");
    dir_.write("notes", "x");
    fs::remove(policy("README"));
    expect_nothing_more();
}

TEST_F(Edits, FoldersThatAppearLaterAreNoticed) {
    const ConfigPaths paths{.policy_dirs = {dir_.path() / "etc/cxlmemd/policy.d"},
                            .settings_files = {dir_.path() / "etc/cxlmemd/daemon.toml"}};
    watch(paths);
    fs::create_directories(dir_.path() / "etc");
    expect_said_once();
    fs::create_directories(dir_.path() / "etc/cxlmemd/policy.d");
    expect_said_once();
    dir_.write("etc/cxlmemd/policy.d/a.toml", "1");
    expect_said_once();
    dir_.write("etc/cxlmemd/daemon.toml", "");
    expect_said_once();
}

TEST_F(Edits, AFolderThatIsMovedAwayAndBackIsWatchedAgain) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    fs::rename(dir_.path() / "policy.d", dir_.path() / "old");
    expect_said_once();
    dir_.write("old/a.toml", "not ours any more");
    expect_nothing_more();
    fs::rename(dir_.path() / "old", dir_.path() / "policy.d");
    expect_said_once();
    dir_.write("policy.d/a.toml", "2");
    expect_said_once();
}

TEST_F(Edits, AParentThatIsMovedAwayIsNoticed) {
    dir_.write("etc/cxlmemd/policy.d/a.toml", "1");
    watch(ConfigPaths::only(dir_.path() / "etc/cxlmemd"));
    fs::rename(dir_.path() / "etc", dir_.path() / "old");
    expect_said_once();
    dir_.write("etc/cxlmemd/policy.d/b.toml", "2");
    expect_said_once();
    dir_.write("etc/cxlmemd/policy.d/b.toml", "3");
    expect_said_once();
}

TEST_F(Edits, AFolderBehindALinkIsNoticedWhenTheLinkChanges) {
    dir_.write("v1/a.toml", "1");
    dir_.write("v2/a.toml", "2");
    fs::create_directory_symlink("v1", dir_.path() / "policy.d");
    watch();
    fs::create_directory_symlink("v2", dir_.path() / "next");
    fs::rename(dir_.path() / "next", dir_.path() / "policy.d");
    expect_said_once();
    dir_.write("v2/a.toml", "3");
    expect_said_once();
}

TEST_F(Edits, WhatIsTouchedWhileItIsReadIsSaidAgainWhenItIsWhole) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    std::optional<Writer> writer;
    when_said_ = [&] {
        EXPECT_TRUE(watch_->quiet());
        writer.emplace(policy("a.toml"), O_TRUNC);
        EXPECT_FALSE(watch_->quiet());
    };
    dir_.write("policy.d/b.toml", "2");
    expect_said_once();
    writer->close();
    expect_said_once();
}

TEST_F(Edits, AStormIsSaidOnce) {
    dir_.write("policy.d/a.toml", "1");
    watch();
    for (int i = 0; i < 300; ++i) {
        Writer{policy("a.toml"), O_TRUNC}.write(std::to_string(i));
    }
    expect_said_once();
}

}  // namespace
}  // namespace cxlmemd
