// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Objects machine() {
    const auto named = [](const char* name) { return json{{"Name", name}}; };
    Objects objects = {
        make_object("/org/cxlmemd1/dax/dax10_2e0", Kind::dax, named("dax10.0")),
        make_object("/org/cxlmemd1/dax/dax0_2e0", Kind::dax, named("dax0.0")),
        make_object("/org/cxlmemd1/dax/dax2_2e0", Kind::dax, named("dax2.0")),
        make_object("/org/cxlmemd1/memdev/mem0", Kind::memdev, named("mem0")),
        make_object("/org/cxlmemd1/region/region0", Kind::region,
                    {{"Name", "region0"}, {"DaxDevices", {"/org/cxlmemd1/dax/dax0_2e0"}}}),
        make_object("/org/cxlmemd1/node/node1", Kind::node, {{"Id", 1}}),
        make_object("/org/cxlmemd1/job/3", Kind::job, {{"Id", 3}}),
    };
    sort_objects(objects);
    return objects;
}

std::string error_of(const Result<Object>& result) {
    return result ? std::string{} : result.error().message;
}

TEST(Objects, AreInOrderOfKindThenNumber) {
    std::vector<std::string> names;
    for (const Object& object : machine()) names.push_back(object.name);
    EXPECT_THAT(names, ElementsAre("mem0", "region0", "dax0.0", "dax2.0", "dax10.0", "node1", "job 3"));
}

TEST(PathOf, IsWhereTheDaemonHasTheObject) {
    for (const Object& object : machine()) {
        if (object.kind == Kind::node || object.kind == Kind::job) continue;  // theirs are numbers
        EXPECT_EQ(path_of(object.kind, object.name), object.path);
    }
    EXPECT_EQ(path_of(Kind::dax, ""), "/org/cxlmemd1/dax/_");
    EXPECT_EQ(path_of(Kind::dax, "../job"), "/org/cxlmemd1/dax/_2e_2e_2fjob");
}

TEST(NameOfPath, DecodesWhatTheBusEscapes) {
    EXPECT_EQ(name_of_path("/org/cxlmemd1/dax/dax0_2e0"), "dax0.0");
    EXPECT_EQ(name_of_path("/org/cxlmemd1/job/7"), "job 7");
    EXPECT_EQ(name_of_path("/"), "-");
    EXPECT_EQ(name_of_path("/org/cxlmemd1"), "/org/cxlmemd1");
    EXPECT_EQ(name_of_path("/org/cxlmemd1/dax/a_zz_2"), "a_zz_2");
}

TEST(Resolve, FindsObjectsOfEveryKindByEveryForm) {
    const Objects all = machine();
    EXPECT_EQ(resolve(all, "dax0.0")->path, "/org/cxlmemd1/dax/dax0_2e0");
    EXPECT_EQ(resolve(all, "dax/dax0.0")->path, "/org/cxlmemd1/dax/dax0_2e0");
    EXPECT_EQ(resolve(all, "/org/cxlmemd1/dax/dax0_2e0")->name, "dax0.0");
    EXPECT_EQ(resolve(all, "region0")->kind, Kind::region);
    EXPECT_EQ(resolve(all, "mem0")->kind, Kind::memdev);
    EXPECT_EQ(resolve(all, "node1")->kind, Kind::node);
    for (const char* name : {"job 3", "job3", "job/3", "3"})
        EXPECT_EQ(resolve(all, name)->kind, Kind::job) << name;
    EXPECT_EQ(resolve(all, "3", Kind::job)->kind, Kind::job);
}

TEST(Resolve, ListsNearMatchesOfAnUnknownName) {
    EXPECT_THAT(error_of(resolve(machine(), "dax0.1", Kind::dax)), HasSubstr("did you mean dax0.0"));
    EXPECT_THAT(error_of(resolve(machine(), "regoin0")), HasSubstr("region0"));
    EXPECT_THAT(error_of(resolve(machine(), "xyzzyx", Kind::dax)),
                HasSubstr("there is: dax0.0, dax2.0, dax10.0"));
    EXPECT_THAT(error_of(resolve({}, "dax0.0", Kind::dax)), HasSubstr("none at all"));
    EXPECT_EQ(resolve({}, "dax0.0").error().code, Exit::failed);
}

TEST(Resolve, SaysWhatToNameInsteadOfAnObjectOfAnotherKind) {
    EXPECT_EQ(error_of(resolve(machine(), "region0", Kind::dax)),
              "region0 is a CXL region, not a dax device; name dax0.0");
    EXPECT_THAT(error_of(resolve(machine(), "3", Kind::dax)), Not(HasSubstr("is a job")));
}

TEST(Resolve, ListsAllThatAnAmbiguousNameMayMean) {
    Objects twins = {make_object("/org/cxlmemd1/region/x", Kind::region, {{"Name", "x"}}),
                     make_object("/org/cxlmemd1/memdev/x", Kind::memdev, {{"Name", "x"}})};
    EXPECT_THAT(error_of(resolve(twins, "x")), HasSubstr("/org/cxlmemd1/region/x, /org/cxlmemd1/memdev/x"));
    EXPECT_EQ(resolve(twins, "x", Kind::region)->kind, Kind::region);
}

TEST(Resolve, TakesRegionsAndMemdevsForRemoval) {
    EXPECT_EQ(resolve_removable(machine(), "region0")->kind, Kind::region);
    EXPECT_EQ(resolve_removable(machine(), "mem0")->kind, Kind::memdev);
    EXPECT_THAT(error_of(resolve_removable(machine(), "dax0.0")), HasSubstr("not a region or a memdev"));
    EXPECT_THAT(error_of(resolve_removable(machine(), "region1")), HasSubstr("did you mean region0"));
}

TEST(Resolve, TakesWhatPolicyKeepsOffForRelease) {
    EXPECT_EQ(resolve_releasable(machine(), "dax0.0")->kind, Kind::dax);
    EXPECT_EQ(resolve_releasable(machine(), "region0")->kind, Kind::region);
    EXPECT_EQ(resolve_releasable(machine(), "mem0")->kind, Kind::memdev);
    EXPECT_EQ(error_of(resolve_releasable(machine(), "node1")),
              "node1 is a NUMA node, not a dax device, a region or a memdev");
    EXPECT_THAT(error_of(resolve_releasable(machine(), "mem7")), HasSubstr("did you mean mem0"));
}

TEST(JoinJobWords, MakesOneNameOfTwoWords) {
    EXPECT_THAT(join_job_words({"dax0.0", "job", "3", "job", "x"}),
                ElementsAre("dax0.0", "job 3", "job", "x"));
}

TEST(EditDistance, CountsLetters) {
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("dax0.0", "dax0.0"), 0U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace cxlmemctl
