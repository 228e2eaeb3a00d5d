// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/wanted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t gib = 1ULL << 30U;
const json enforcing = {{"Mode", "enforce"}};

Object device(int number, json more = json::object()) {
    json p = {{"Name", "dax" + std::to_string(number) + ".0"},
              {"Mode", "system-ram"},
              {"State", "online"},
              {"BytesOnline", 16 * gib},
              {"Size", 16 * gib},
              {"TargetNode", 1},
              {"Region", path_of(Kind::region, "region" + std::to_string(number))},
              {"Rule", "db"},
              {"Reason", "as rule 'db' says"},
              {"InPolicy", true}};
    p.update(more);
    const std::string name = p["Name"];
    return make_object(path_of(Kind::dax, name), Kind::dax, p);
}

Object region(int number, int card) {
    const std::string name = "region" + std::to_string(number);
    return make_object(path_of(Kind::region, name), Kind::region,
                       {{"Name", name}, {"Memdevs", {path_of(Kind::memdev, "mem" + std::to_string(card))}}});
}

Object card(int number, const char* reason = "") {
    const std::string name = "mem" + std::to_string(number);
    return make_object(path_of(Kind::memdev, name), Kind::memdev, {{"Name", name}, {"Reason", reason}});
}

Object job(const char* operation, const std::string& object, const char* state = "running") {
    return make_object(
        path_of(Kind::job, "7"), Kind::job,
        {{"Id", 7}, {"Operation", operation}, {"Object", object}, {"State", state}, {"Progress", 0.5}});
}

Wanted by_rule(std::optional<std::uint64_t> bytes = std::nullopt) {
    return {Wanted::By::rule, {"db"}, bytes};
}

const json offline = {{"State", "offline"}, {"BytesOnline", 0}, {"InPolicy", false}};

std::string reasons(const Standing& standing) {
    std::string out;
    for (const Missing& one : standing.missing) out += one.object + ": " + one.reason + "\n";
    return out;
}

TEST(Stand, IsThereWhenAllOfTheRuleIsAsItSays) {
    const Standing all = stand(by_rule(), enforcing, {device(0), device(1), device(2, {{"Rule", "other"}})});
    EXPECT_TRUE(all.there);
    EXPECT_EQ(all.online, 32 * gib);
    EXPECT_THAT(all.missing, IsEmpty());
    const Standing half = stand(by_rule(), enforcing, {device(0), device(1, offline)});
    EXPECT_FALSE(half.there);
    EXPECT_EQ(half.online, 16 * gib);
    EXPECT_EQ(half.wanted, 32 * gib);
    EXPECT_THAT(reasons(half), HasSubstr("dax/dax1_2e0: 0 B of 16 GiB online; as rule 'db' says"));
}

TEST(Stand, TakesHalfADeviceIfTheRuleWantsHalf) {
    EXPECT_TRUE(
        stand(by_rule(), enforcing, {device(0, {{"State", "partial"}, {"BytesOnline", 8 * gib}})}).there);
    const json not_as_wanted = {{"State", "partial"}, {"BytesOnline", 8 * gib}, {"InPolicy", false}};
    EXPECT_FALSE(stand(by_rule(), enforcing, {device(0, not_as_wanted)}).there);
}

TEST(Stand, IsNotThereWithNothingOnlineWhateverThePolicySays) {
    EXPECT_FALSE(stand(by_rule(), enforcing, {device(0, {{"State", "offline"}, {"BytesOnline", 0}})}).there);
    EXPECT_FALSE(stand(by_rule(), enforcing, {}).there);
    EXPECT_FALSE(stand(by_rule(), enforcing, {}).matched);
}

TEST(Stand, CountsBytesIfBytesAreAskedFor) {
    EXPECT_TRUE(stand(by_rule(16 * gib), enforcing, {device(0), device(1, offline)}).there);
    const Standing more = stand(by_rule(17 * gib), enforcing, {device(0), device(1, offline)});
    EXPECT_FALSE(more.there);
    EXPECT_EQ(more.wanted, 17 * gib);
    EXPECT_THAT(reasons(stand(by_rule(33 * gib), enforcing, {device(0), device(1)})),
                HasSubstr("all of it is online, and that is 32 GiB"));
}

TEST(Stand, TakesADeviceThatPolicyGivesToPrograms) {
    const json devdax = {{"Mode", "devdax"}, {"State", "offline"}, {"BytesOnline", 0}};
    EXPECT_TRUE(stand(by_rule(), enforcing, {device(0, devdax)}).there);
    json by_hand = devdax;
    by_hand["InPolicy"] = false;
    EXPECT_FALSE(stand(by_rule(), enforcing, {device(0, by_hand)}).there);
}

TEST(Stand, FindsDevicesByNameRegionCardAndNode) {
    const Objects objects{device(0), device(1, {{"TargetNode", 2}}), region(0, 5), region(1, 6), card(5),
                          card(6)};
    for (const char* name : {"dax1.0", "region1", "mem6"}) {
        const Standing found = stand({Wanted::By::device, {name}, {}}, enforcing, objects);
        EXPECT_THAT(found.devices, ElementsAre("/org/cxlmemd1/dax/dax1_2e0")) << name;
    }
    EXPECT_THAT(stand({Wanted::By::node, {"1"}, {}}, enforcing, objects).devices,
                ElementsAre("/org/cxlmemd1/dax/dax0_2e0"));
    EXPECT_FALSE(stand({Wanted::By::device, {"dax7.0"}, {}}, enforcing, objects).matched);
}

TEST(Stand, TakesTheNodesOwnWordForMemoryThatIsNoDaxDevices) {
    const Object node =
        make_object(path_of(Kind::node, "node3"), Kind::node, {{"Id", 3}, {"BytesOnline", 4 * gib}});
    EXPECT_TRUE(stand({Wanted::By::node, {"3"}, 4 * gib}, enforcing, {node}).there);
    EXPECT_FALSE(stand({Wanted::By::node, {"3"}, 5 * gib}, enforcing, {node}).there);
}

TEST(Stand, SaysWhatIsInTheWay) {
    const json held = {{"State", "offline"},
                       {"BytesOnline", 0},
                       {"InPolicy", false},
                       {"Held", true},
                       {"Reason", "an administrator holds it"},
                       {"LastError", {{"name", "E"}, {"message", "memory block 7: EBUSY"}}}};
    const json manager = {
        {"Mode", "observe"},
        {"Conflicts",
         {{{"kind", "competitor"}, {"message", "a rule"}}, {{"kind", "tier"}, {"message", "slow"}}}}};
    const std::string text =
        reasons(stand(by_rule(), manager, {device(0, held), job("online", path_of(Kind::dax, "dax0.0"))}));
    EXPECT_THAT(text, HasSubstr("0 B of 16 GiB online; job 7 (online) is at 50%; memory block 7: EBUSY; an "
                                "administrator holds it; give it back with: cxlmemctl release dax0.0"));
    EXPECT_THAT(text, HasSubstr("only observes"));
    EXPECT_THAT(text, HasSubstr("conflict, competitor: a rule"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("slow")));
    EXPECT_THAT(reasons(stand(by_rule(), enforcing, {card(4, "16 GiB, no region")})),
                HasSubstr("memdev/mem4: 16 GiB, no region"));
}

TEST(Drain, IsSeenAtTheDeviceAndAtWhatItStandsOn) {
    for (const auto& below :
         {path_of(Kind::dax, "dax0.0"), path_of(Kind::region, "region0"), path_of(Kind::memdev, "mem5")}) {
        for (const char* operation : {"offline", "remove", "prepare-remove", "set-mode"}) {
            const Objects objects{device(0),    device(1), region(0, 5),
                                  region(1, 6), card(5),   job(operation, below)};
            EXPECT_NE(drain_of(objects, objects[0]), nullptr) << below;
            EXPECT_EQ(drain_of(objects, objects[1]), nullptr) << below;
            EXPECT_EQ(staying(by_rule(), objects), 16 * gib);
        }
    }
}

TEST(Drain, IsNoJobThatBringsMemoryOrIsOver) {
    const std::string path = path_of(Kind::dax, "dax0.0");
    for (const Object& other : {job("online", path), job("policy", path), job("offline", path, "finished")}) {
        const Objects objects{device(0), other};
        EXPECT_EQ(drain_of(objects, objects[0]), nullptr);
        EXPECT_EQ(staying(by_rule(), objects), 16 * gib);
    }
    const Objects queued{device(0), job("policy", path), job("offline", path, "waiting")};
    EXPECT_NE(drain_of(queued, queued[0]), nullptr);
}

TEST(InstanceNames, AreWhatSystemdEscapeMayHaveMadeThemOf) {
    EXPECT_THAT(instance_names("db"), ElementsAre("db"));
    EXPECT_THAT(instance_names("fast-db"), ElementsAre("fast-db", "fast/db"));
    EXPECT_THAT(instance_names("fast\\x2ddb\\x20x"), ElementsAre("fast\\x2ddb\\x20x", "fast-db x"));
    EXPECT_THAT(instance_names("a\\x2"), ElementsAre("a\\x2"));
}

}  // namespace
}  // namespace cxlmemctl
