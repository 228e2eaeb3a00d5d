// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/configuration.h"

#include <gmock/gmock.h>

#include "temp_dir.h"

namespace cxlmemd {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* good = "[[rule]]\nname = \"a\"\nmemory.mode = \"ignore\"\n";
constexpr const char* other = "[[rule]]\nname = \"b\"\nmemory.mode = \"ignore\"\n";
constexpr const char* bad = "[[rule]]\nnam = 1\n";

TEST(Configuration, WithoutFilesIsInForceAsItIs) {
    const TempDir dir;
    Configuration configuration{ConfigPaths::only(dir.path())};
    EXPECT_FALSE(configuration.look());
    configuration.put_in_force();
    EXPECT_TRUE(configuration.is_in_force());
    EXPECT_EQ(configuration.last_read().settings, Settings{});
    EXPECT_TRUE(configuration.last_read().policy_sound);
}

TEST(Configuration, IsPendingWhenEditedByContentAndNotByTime) {
    const TempDir dir;
    dir.write("policy.d/a.toml", good);
    Configuration configuration{ConfigPaths::only(dir.path())};
    configuration.look();
    configuration.put_in_force();

    dir.write("policy.d/a.toml", good);
    fs::last_write_time(dir.path() / "policy.d/a.toml", fs::file_time_type::min());
    EXPECT_FALSE(configuration.look());

    dir.write("policy.d/a.toml", other);
    EXPECT_TRUE(configuration.look());
    EXPECT_TRUE(configuration.is_pending());
    EXPECT_FALSE(configuration.look());

    dir.write("policy.d/a.toml", good);
    EXPECT_TRUE(configuration.look());
    EXPECT_FALSE(configuration.is_pending());
    EXPECT_TRUE(configuration.is_in_force());
}

TEST(Configuration, WithErrorsIsNotPending) {
    const TempDir dir;
    Configuration configuration{ConfigPaths::only(dir.path())};
    configuration.put_in_force();
    dir.write("policy.d/a.toml", bad);
    EXPECT_TRUE(configuration.look());
    EXPECT_FALSE(configuration.is_pending());
    EXPECT_FALSE(configuration.is_in_force());
}

TEST(Configuration, AfterABadStartEveryGoodOneIsPending) {
    const TempDir dir;
    dir.write("policy.d/a.toml", bad);
    Configuration configuration{ConfigPaths::only(dir.path())};
    configuration.look();
    fs::remove(dir.path() / "policy.d/a.toml");
    EXPECT_TRUE(configuration.look());
    EXPECT_TRUE(configuration.is_pending());
}

TEST(Configuration, SettingsAreAPartOfIt) {
    const TempDir dir;
    Configuration configuration{ConfigPaths::only(dir.path())};
    configuration.put_in_force();
    dir.write("daemon.toml", "auto_reload = true\n");
    EXPECT_TRUE(configuration.look());
    EXPECT_TRUE(configuration.is_pending());
    EXPECT_TRUE(configuration.last_read().settings.auto_reload);
}

TEST(Configuration, AFileThatCannotBeReadMakesThePolicyUnsound) {
    const TempDir dir;
    dir.write("policy.d/a.toml", good);
    fs::create_symlink("/nowhere", dir.path() / "policy.d/b.toml");
    const LoadedConfig loaded = load_config(ConfigPaths::only(dir.path()));
    EXPECT_TRUE(has_errors(loaded.problems));
    EXPECT_FALSE(loaded.policy_sound);
}

TEST(Configuration, KeepsProblemsOfReadingAndOfCompiling) {
    const TempDir dir;
    dir.write("policy.d/a.toml", bad);
    fs::create_symlink("/nowhere", dir.path() / "policy.d/b.toml");
    fs::create_symlink("/nowhere", dir.path() / "daemon.toml");
    std::vector<std::string> names;
    for (const Problem& p : load_config(ConfigPaths::only(dir.path())).problems) {
        const std::string name = fs::path{p.place.file}.filename();
        if (names.empty() || names.back() != name) names.push_back(name);
    }
    EXPECT_THAT(names, ElementsAre("daemon.toml", "b.toml", "a.toml"));
}

TEST(Configuration, PeekingChangesNothing) {
    const TempDir dir;
    Configuration configuration{ConfigPaths::only(dir.path())};
    configuration.put_in_force();
    dir.write("policy.d/a.toml", good);
    EXPECT_EQ(configuration.peek().policy.rules.size(), 1U);
    EXPECT_TRUE(configuration.is_in_force());
    EXPECT_TRUE(configuration.look());
}

TEST(Configuration, NamesTheFilesThatMaskOthers) {
    const TempDir dir;
    dir.write("etc/10-a.toml", good);
    dir.write("lib/10-a.toml", good);
    fs::create_directories(dir.path() / "run");
    fs::create_symlink("/dev/null", dir.path() / "run/20-b.toml");
    dir.write("lib/20-b.toml", other);
    const auto loaded = load_config(
        {.policy_dirs = {dir.path() / "etc", dir.path() / "run", dir.path() / "lib"}, .settings_files = {}});
    const auto path = [&](const char* name) { return (dir.path() / name).string(); };
    EXPECT_THAT(loaded.origins, ElementsAre(PolicyFile{path("etc/10-a.toml"), ""},
                                            PolicyFile{path("lib/10-a.toml"), path("etc/10-a.toml")},
                                            PolicyFile{path("run/20-b.toml"), "/dev/null"},
                                            PolicyFile{path("lib/20-b.toml"), path("run/20-b.toml")}));
    EXPECT_THAT(loaded.problems, IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
