// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/config_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::TempDir;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ConfigPaths three_layers(const TempDir& dir) {
    return {.policy_dirs = {dir.path() / "etc", dir.path() / "run", dir.path() / "lib"},
            .settings_files = {dir.path() / "etc.toml", dir.path() / "lib.toml"}};
}

std::vector<std::string> names(const PolicyFiles& files) {
    std::vector<std::string> out;
    for (const SourceFile& f : files.files) out.push_back(std::filesystem::path{f.name}.filename().string());
    return out;
}

TEST(PolicyFolders, AreReadInBasenameOrderOverAllLayers) {
    const TempDir dir;
    dir.write("lib/20-b.toml", "# vendor\n");
    dir.write("etc/30-c.toml", "# admin\n");
    dir.write("run/10-a.toml", "# runtime\n");

    EXPECT_THAT(names(read_policy_files(three_layers(dir))),
                ElementsAre("10-a.toml", "20-b.toml", "30-c.toml"));
}

TEST(PolicyFolders, EarlierFolderMasksTheSameNameInALaterOne) {
    const TempDir dir;
    dir.write("lib/10-a.toml", "# vendor\n");
    dir.write("etc/10-a.toml", "# admin\n");

    const PolicyFiles files = read_policy_files(three_layers(dir));

    ASSERT_THAT(files.files, SizeIs(1));
    EXPECT_EQ(files.files[0].text, "# admin\n");
}

TEST(PolicyFolders, ALinkToDevNullMasks) {
    const TempDir dir;
    dir.write("lib/10-a.toml", "# vendor\n");
    std::filesystem::create_directories(dir.path() / "etc");
    std::filesystem::create_symlink("/dev/null", dir.path() / "etc/10-a.toml");

    const PolicyFiles files = read_policy_files(three_layers(dir));

    EXPECT_THAT(files.files, IsEmpty());
    EXPECT_THAT(files.problems, IsEmpty());
}

TEST(PolicyFolders, OtherFileNamesAreNotRead) {
    const TempDir dir;
    dir.write("etc/10-a.toml~", "x");
    dir.write("etc/README", "x");
    dir.write("etc/10-a.toml.dpkg-old", "x");

    EXPECT_THAT(read_policy_files(three_layers(dir)).files, IsEmpty());
}

TEST(PolicyFolders, AMissingFolderIsNoProblem) {
    const TempDir dir;
    EXPECT_THAT(read_policy_files(three_layers(dir)).problems, IsEmpty());
}

TEST(PolicyFolders, AFifoIsAProblemAndDoesNotHang) {
    const TempDir dir;
    std::filesystem::create_directories(dir.path() / "etc");
    ASSERT_EQ(::mkfifo((dir.path() / "etc/10-a.toml").c_str(), 0600), 0);

    const PolicyFiles files = read_policy_files(three_layers(dir));

    ASSERT_THAT(files.problems, SizeIs(1));
    EXPECT_EQ(files.problems[0].message, "is not a regular file");
    EXPECT_EQ(files.problems[0].place.file, (dir.path() / "etc/10-a.toml").string());
}

TEST(PolicyFolders, ADanglingLinkIsAProblemThatNamesTheFile) {
    const TempDir dir;
    std::filesystem::create_directories(dir.path() / "etc");
    std::filesystem::create_symlink("/nowhere/at/all", dir.path() / "etc/10-a.toml");

    const PolicyFiles files = read_policy_files(three_layers(dir));

    ASSERT_THAT(files.problems, SizeIs(1));
    EXPECT_EQ(files.problems[0].message, "cannot be read (ENOENT)");
}

TEST(PolicyFolders, MoreFilesThanTheLimitAreAnErrorAndNotReadWithoutEnd) {
    const TempDir dir;
    for (std::size_t i = 0; i < 2 * max_files; ++i) {
        dir.write((i % 2 == 0 ? "etc/" : "lib/") + std::to_string(i) + ".toml", "# empty\n");
    }
    const PolicyFiles files = read_policy_files(three_layers(dir));
    EXPECT_THAT(files.files, SizeIs(max_files + 1));
    ASSERT_THAT(compile(files.files).problems, SizeIs(1));
    EXPECT_EQ(compile(files.files).problems[0].message, "too many: 256 policy files are the limit");
}

TEST(PolicyFolders, MoreBytesThanTheLimitAreAnErrorAndNotReadWithoutEnd) {
    const TempDir dir;
    for (int i = 0; i < 8; ++i) {
        dir.write("etc/" + std::to_string(i) + ".toml", std::string(max_file_bytes, '\n'));
    }
    const PolicyFiles files = read_policy_files(three_layers(dir));
    EXPECT_THAT(files.files, SizeIs(5));
    ASSERT_THAT(compile(files.files).problems, SizeIs(1));
    EXPECT_EQ(compile(files.files).problems[0].place.file, (dir.path() / "etc/4.toml").string());
}

TEST(PolicyFolders, AFileBeyondTheLimitIsReadNoFurtherThanNeeded) {
    const TempDir dir;
    dir.write("etc/a.toml", std::string(3 * max_file_bytes, '\n'));
    const PolicyFiles files = read_policy_files(three_layers(dir));
    ASSERT_THAT(files.files, SizeIs(1));
    EXPECT_EQ(files.files[0].text.size(), max_file_bytes + 1);
    EXPECT_TRUE(has_errors(compile(files.files).problems));
}

TEST(Settings, TheFirstFileThatExistsCounts) {
    const TempDir dir;
    dir.write("lib.toml", "auto_online = \"leave\"\n");
    dir.write("etc.toml", "auto_online = \"manage\"\n");

    const CompiledSettings settings = read_settings(three_layers(dir));

    EXPECT_THAT(settings.problems, IsEmpty());
    EXPECT_EQ(settings.settings.auto_online, AutoOnlineHandling::manage);
}

TEST(Settings, WithoutAFileAreTheBuiltInOnes) {
    const TempDir dir;
    EXPECT_EQ(read_settings(three_layers(dir)).settings, Settings{});
}

}  // namespace
}  // namespace cxlmemd
