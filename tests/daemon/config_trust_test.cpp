// SPDX-License-Identifier: LGPL-2.1-or-later
// Files and folders that others than root (or the daemon's own user) may write.
#include "daemon/config_trust.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/check_config.h"
#include "daemon/configuration.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* rule = "[[rule]]\nname = \"a\"\n[rule.memory]\nmode = \"ignore\"\n";

class ConfigTrust : public ::testing::Test {
 protected:
    ConfigTrust() {
        dir.write("policy.d/50-a.toml", rule);
        dir.write("daemon.toml", "auto_online = \"manage\"\n");
        for (const char* path : {"", "policy.d", "policy.d/50-a.toml", "daemon.toml"}) {
            mode(path, fs::is_directory(dir.path() / path) ? 0755 : 0644);
        }
    }

    void mode(const std::string& path, mode_t mode) {
        ASSERT_EQ(::chmod((dir.path() / path).c_str(), mode), 0) << path;
    }
    void owner(const std::string& path, uid_t uid) {
        ASSERT_EQ(::lchown((dir.path() / path).c_str(), uid, static_cast<gid_t>(-1)), 0) << path;
    }
    std::vector<std::string> problems() {
        std::vector<std::string> out;
        for (const Problem& p : load_config(config).problems) out.push_back(to_string(p));
        return out;
    }
    std::string at(const std::string& path) const { return (dir.path() / path).lexically_normal().string(); }

    const TempDir dir;
    ConfigPaths config = ConfigPaths::only(dir.path());
};

TEST_F(ConfigTrust, FilesOfRootAndOfOneselfCount) {
    const LoadedConfig loaded = load_config(config);
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_EQ(loaded.policy.rules.size(), 1U);
    EXPECT_EQ(loaded.settings.auto_online, AutoOnlineHandling::manage);
}

TEST_F(ConfigTrust, APolicyFileThatOthersMayWriteIsRefusedWithItsMode) {
    mode("policy.d/50-a.toml", 0646);
    EXPECT_THAT(problems(), ElementsAre(AllOf(StartsWith(at("policy.d/50-a.toml") + ": error: "),
                                              HasSubstr("writable by everyone (mode 0646)"))));
    mode("policy.d/50-a.toml", 0664);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("writable by its group (mode 0664)")));

    const LoadedConfig loaded = load_config(config);
    EXPECT_THAT(loaded.policy.rules, IsEmpty());
    EXPECT_FALSE(loaded.policy_sound);
}

TEST_F(ConfigTrust, AFolderThatOthersMayWriteIsRefusedWithItsMode) {
    for (const mode_t wrong : {0777U, 0775U, 01777U}) {
        mode("policy.d", wrong);
        EXPECT_THAT(problems(), ElementsAre(AllOf(StartsWith(at("policy.d") + ": error: "),
                                                  HasSubstr(wrong == 0775U ? "its group" : "everyone"))))
            << wrong;
        EXPECT_FALSE(load_config(config).policy_sound);
    }
}

TEST_F(ConfigTrust, SettingsThatOthersMayWriteAreRefusedWithTheirMode) {
    mode("daemon.toml", 0666);
    EXPECT_THAT(problems(), ElementsAre(AllOf(StartsWith(at("daemon.toml") + ": error: "),
                                              HasSubstr("writable by everyone (mode 0666)"))));
    EXPECT_EQ(load_config(config).settings, Settings{});
}

TEST_F(ConfigTrust, TheFolderAboveIsSaidOnceAndNothingInItIsUsed) {
    mode("", 0777);
    const LoadedConfig loaded = load_config(config);
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_THAT(to_string(loaded.problems.front()), HasSubstr("writable by everyone (mode 0777)"));
    EXPECT_FALSE(loaded.policy_sound);
    EXPECT_EQ(loaded.settings, Settings{});
}

TEST_F(ConfigTrust, AFolderThatOthersMayWriteMasksNothing) {
    dir.write("run/50-a.toml", "");
    mode("run", 0777);
    config.policy_dirs = {dir.path() / "run", dir.path() / "policy.d"};
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("run: error: is writable by everyone")));
    EXPECT_EQ(load_config(config).policy.rules.size(), 1U);
}

TEST_F(ConfigTrust, ALinkIsJudgedByWhereItLeads) {
    dir.write("shared/a.toml", rule);
    mode("shared", 0777);
    mode("shared/a.toml", 0644);
    fs::remove(dir.path() / "policy.d/50-a.toml");
    fs::create_symlink(dir.path() / "shared/a.toml", dir.path() / "policy.d/50-a.toml");
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("shared: error: is writable by everyone (mode 0777)")));
    mode("shared", 01777);  // others cannot move it away
    EXPECT_THAT(problems(), IsEmpty());
    mode("shared/a.toml", 0666);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("50-a.toml: error: is writable by everyone (mode 0666)")));
}

TEST_F(ConfigTrust, AFileOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    owner("policy.d/50-a.toml", 65534);
    EXPECT_THAT(problems(), ElementsAre(AllOf(StartsWith(at("policy.d/50-a.toml") + ": error: "),
                                              HasSubstr("belongs to a user other than root (mode 0644)"))));
    owner("policy.d/50-a.toml", 0);
    owner("policy.d", 65534);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("policy.d: error: belongs to a user other than root")));
}

TEST_F(ConfigTrust, InstalledFilesAreRootsAloneWhoeverChecksThem) {
    EXPECT_THAT(ConfigPaths::system().owners, ElementsAre(0U));
    EXPECT_THAT(config.owners, ElementsAre(0U, ::geteuid()));
}

TEST_F(ConfigTrust, ALaterChmodIsAChangeOfTheConfiguration) {
    Configuration configuration{config};
    configuration.look();
    configuration.put_in_force();
    mode("policy.d/50-a.toml", 0666);
    EXPECT_TRUE(configuration.look());
    EXPECT_FALSE(configuration.is_pending());
    mode("policy.d/50-a.toml", 0644);
    EXPECT_TRUE(configuration.look());
    EXPECT_TRUE(configuration.is_in_force());
}

class CheckConfig : public ConfigTrust {
 protected:
    std::string check(const std::string& file, int expected) {
        Options options;
        options.files = {dir.path() / file};
        ::testing::internal::CaptureStdout();
        const int code = check_config(options, config);
        const std::string said = ::testing::internal::GetCapturedStdout();
        EXPECT_EQ(code, expected) << said;
        return said;
    }
};

TEST_F(CheckConfig, AFileOfOnesOwnIsCheckedWhoeverMayWriteIt) {
    dir.write("draft/mine.toml", rule);
    mode("draft", 0777);
    mode("draft/mine.toml", 0666);
    EXPECT_EQ(check("draft/mine.toml", 0), "");
}

TEST_F(CheckConfig, AFileOfTheConfigurationIsCheckedAsTheDaemonWould) {
    mode("policy.d/50-a.toml", 0666);
    EXPECT_THAT(check("policy.d/50-a.toml", 1), HasSubstr("writable by everyone (mode 0666)"));
    mode("daemon.toml", 0622);
    EXPECT_THAT(check("daemon.toml", 1), HasSubstr("writable by everyone (mode 0622)"));
}

}  // namespace
}  // namespace cxlmemd
