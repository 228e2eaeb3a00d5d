// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/hold_book.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>

#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::TempDir;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const CardKey first_card{1, "0000:0d:00.0"};
const CardKey second_card{2, "0000:0e:00.0"};

// Two cards, a region on each, and a dax device on each region, bound to nothing.
Topology machine() {
    Topology out;
    out.block_size = Bytes{128 << 20};
    for (const std::uint64_t serial : {1U, 2U}) {
        const std::string n = std::to_string(serial - 1);
        Memdev memdev;
        memdev.name = "mem" + n;
        memdev.serial = serial;
        memdev.host = serial == 1 ? first_card.host : second_card.host;
        memdev.generation = 10 + serial;
        out.memdevs.push_back(memdev);
        Region region;
        region.name = "region" + n;
        region.memdevs = {memdev.name};
        out.regions.push_back(region);
        DaxDevice device;
        device.id.name = "dax" + n + ".0";
        device.id.region = region.name;
        device.id.start = PhysAddr{serial << 32};
        device.id.serials = {serial};
        device.ranges = {{device.id.start, Bytes{256 << 20}}};
        out.dax_devices.push_back(device);
    }
    return out;
}

const std::string first_key = "serials 0x1 at 0x100000000";

Topology without_first_card() {
    Topology out = machine();
    out.memdevs.erase(out.memdevs.begin());
    return out;
}

class HoldBookTest : public testing::Test {
 public:
    TempDir dir;
    Topology topology = machine();
    std::vector<Error> unsaved;

    [[nodiscard]] std::unique_ptr<HoldBook> new_book(const std::string& boot = "boot-1") {
        return std::make_unique<HoldBook>(dir.path(), boot,
                                          [this](const Error& error) { unsaved.push_back(error); });
    }
    // As a daemon that starts now has it; the one before may have died at any point.
    [[nodiscard]] std::unique_ptr<HoldBook> restarted(const std::string& boot = "boot-1") {
        auto book = new_book(boot);
        const auto loaded = book->load();
        EXPECT_TRUE(loaded) << loaded.error().text();
        return book;
    }
    [[nodiscard]] std::vector<std::string> settle(HoldBook& book, const Topology& seen) {
        auto out = book.settle(seen);
        EXPECT_TRUE(out) << out.error().text();
        return out ? out->ended : std::vector<std::string>{};
    }
    [[nodiscard]] const Memdev& mem0() const { return topology.memdevs.at(0); }
    [[nodiscard]] const DaxDevice& dax0() const { return topology.dax_devices.at(0); }
    [[nodiscard]] std::string text() const { return read("holds"); }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream in(dir.path() / name);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void make_ready(HoldBook& book) const {
        auto preparation = book.begin(mem0(), 7);
        ASSERT_TRUE(preparation);
        ASSERT_TRUE(preparation->finish());
    }
    // Every save fails from here on: what would be written first cannot be opened.
    void break_saving() const { std::filesystem::create_directory(dir.path() / "holds.new"); }
    void mend_saving() const { std::filesystem::remove(dir.path() / "holds.new"); }
};

TEST_F(HoldBookTest, WithoutAFileHoldsNothing) {
    EXPECT_TRUE(restarted()->holds().empty());
    EXPECT_FALSE(std::filesystem::exists(dir.path() / "holds"));
}

TEST_F(HoldBookTest, KeepsAHoldUntilItIsReleased) {
    ASSERT_TRUE(restarted()->hold(topology, dax0()));
    EXPECT_TRUE(is_held(restarted()->holds(), topology, dax0()));
    ASSERT_TRUE(restarted()->release(hold_keys(topology, dax0()), {}));
    EXPECT_TRUE(restarted()->holds().empty());
}

TEST_F(HoldBookTest, APreparationUndoesItselfUnlessItIsFinished) {
    auto book = restarted();
    {
        auto preparation = book->begin(mem0(), 7);
        ASSERT_TRUE(preparation);
        EXPECT_EQ(book->holds().cards.at(first_card), CardState::emptying);
        EXPECT_THAT(text(), HasSubstr("emptying 0x1 boot-1 11 7 0000:0d:00.0\n"));
        EXPECT_TRUE(is_held(book->holds(), topology, dax0()));
        const HoldBook::Preparation moved = std::move(*preparation);
        EXPECT_THAT(book->holds().cards, SizeIs(1));
    }
    EXPECT_TRUE(book->holds().empty());
    EXPECT_TRUE(restarted()->holds().empty());
}

TEST_F(HoldBookTest, AReadyCardStaysReadyAcrossADaemonsEnd) {
    auto book = restarted();
    make_ready(*book);
    book = restarted();
    EXPECT_THAT(settle(*book, topology), IsEmpty());
    EXPECT_EQ(book->holds().cards.at(first_card), CardState::ready);
    EXPECT_FALSE(is_held(book->holds(), topology, topology.dax_devices.at(1)));
}

TEST_F(HoldBookTest, BeingEmptiedEndsWithTheDaemonThatWasAtIt) {
    for (const char* boot : {"boot-1", "boot-2", ""}) {
        auto dead = restarted();
        std::optional<HoldBook::Preparation> preparation = std::move(*dead->begin(mem0(), 7));
        auto book = restarted(boot);  // killed: nobody undid it
        EXPECT_TRUE(book->holds().empty()) << boot;
        EXPECT_THAT(
            settle(*book, topology),
            ElementsAre(HasSubstr(boot == std::string{"boot-2"} ? "the machine was restarted while job 7"
                                                                : "the daemon ended while job 7")));
        EXPECT_THAT(settle(*book, topology), IsEmpty()) << "it is told of once";
        EXPECT_THAT(text(), Not(HasSubstr("emptying")));
    }
}

TEST_F(HoldBookTest, AReadyCardThatWasNotPulledBeforeARebootIsPolicysAgain) {
    make_ready(*restarted());
    auto book = restarted("boot-2");
    EXPECT_THAT(settle(*book, topology),
                ElementsAre("serial 0x1 at 0000:0d:00.0: the machine was restarted, and the card was not "
                            "pulled: it is no longer prepared for its removal"));
    EXPECT_TRUE(book->holds().empty());
    EXPECT_TRUE(restarted()->holds().empty());
    // Whether or not the card has been probed by then.
    make_ready(*restarted());
    book = restarted("boot-2");
    EXPECT_THAT(settle(*book, without_first_card()), SizeIs(1));
}

TEST_F(HoldBookTest, WhoOnlyWatchesKnowsWhatHasEndedAndWritesNothing) {
    make_ready(*restarted());
    const std::string before = text();
    auto book = restarted("boot-2");
    const auto settled = book->settle(topology, HoldBook::Keep::in_memory);
    ASSERT_TRUE(settled);
    EXPECT_THAT(settled->ended, SizeIs(1));
    EXPECT_TRUE(book->holds().empty());
    EXPECT_EQ(text(), before);
}

TEST_F(HoldBookTest, ACardThatHasGoneIsNoLongerReady) {
    auto book = restarted();
    make_ready(*book);
    auto once = book->settle(without_first_card());
    ASSERT_TRUE(once);
    EXPECT_TRUE(once->look_again);
    EXPECT_THAT(once->ended, IsEmpty()) << "a scan that cannot read a card leaves it out as well";
    EXPECT_THAT(settle(*book, topology), IsEmpty()) << "it was there all along";
    EXPECT_EQ(book->holds().cards.count(first_card), 1U);
    EXPECT_THAT(settle(*book, without_first_card()), IsEmpty());
    EXPECT_THAT(settle(*book, without_first_card()), ElementsAre(HasSubstr("the card has gone")));
    EXPECT_TRUE(book->holds().empty());
}

TEST_F(HoldBookTest, ACardThatWasPulledWhileNoDaemonRanIsNoLongerReady) {
    make_ready(*restarted());
    auto book = restarted();
    EXPECT_THAT(settle(*book, without_first_card()), IsEmpty());
    EXPECT_THAT(settle(*book, without_first_card()), ElementsAre(HasSubstr("the card has gone")));
    EXPECT_TRUE(restarted()->holds().empty());
}

TEST_F(HoldBookTest, ACardThatCameBackIsPolicysEvenIfNobodySawItGo) {
    make_ready(*restarted());
    Topology back = machine();
    back.memdevs.at(0).generation = 99;
    auto book = restarted();
    EXPECT_THAT(settle(*book, back), ElementsAre(HasSubstr("has gone and come back")));
    EXPECT_TRUE(book->holds().empty());
}

TEST_F(HoldBookTest, OfCardsWithOneSerialOneIsReady) {
    topology.memdevs.at(0).serial = topology.memdevs.at(1).serial = 0;
    topology.dax_devices.at(0).id.serials = topology.dax_devices.at(1).id.serials = {0};
    auto book = restarted();
    make_ready(*book);
    EXPECT_TRUE(is_held(book->holds(), topology, topology.dax_devices.at(0)));
    EXPECT_FALSE(is_held(book->holds(), topology, topology.dax_devices.at(1)));
    Topology other_pulled = topology;
    other_pulled.memdevs.pop_back();
    EXPECT_THAT(settle(*book, other_pulled), IsEmpty());
    EXPECT_THAT(settle(*book, other_pulled), IsEmpty());
    EXPECT_EQ(restarted()->holds().cards.count({0, first_card.host}), 1U);
}

TEST_F(HoldBookTest, ReleaseOfOneCardLeavesTheOther) {
    auto book = restarted();
    make_ready(*book);
    ASSERT_TRUE(book->begin(topology.memdevs.at(1), 8)->finish());
    ASSERT_TRUE(book->release(hold_keys(topology, dax0()), {first_card}));
    EXPECT_THAT(book->holds().cards, ElementsAre(std::pair{second_card, CardState::ready}));
    EXPECT_EQ(restarted()->holds(), book->holds());
}

TEST_F(HoldBookTest, WhatIsBeingEmptiedIsNotReleased) {
    auto book = restarted();
    ASSERT_TRUE(book->hold(topology, dax0()));
    auto preparation = book->begin(mem0(), 7);
    const auto refused = book->release(hold_keys(topology, dax0()), {first_card});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::busy);
    EXPECT_THAT(refused.error().text(), HasSubstr("job 7"));
    EXPECT_TRUE(is_held_by_hand(book->holds(), topology, dax0())) << "all or nothing";
}

TEST_F(HoldBookTest, WhoUsesMemoryOfAReadyCardTakesItBack) {
    auto book = restarted();
    make_ready(*book);
    ASSERT_TRUE(book->take_in_hand(topology, dax0(), true, false));
    EXPECT_EQ(book->holds().cards.count(first_card), 1U) << "taken offline once more";
    ASSERT_TRUE(book->take_in_hand(topology, dax0(), false, true));
    EXPECT_THAT(book->holds().cards, IsEmpty());
    EXPECT_TRUE(is_held_by_hand(book->holds(), topology, dax0()));
}

TEST_F(HoldBookTest, AHoldEndsWithItsRegion) {
    auto book = restarted();
    ASSERT_TRUE(book->hold(topology, dax0()));
    ASSERT_TRUE(book->hold(topology, topology.dax_devices.at(1)));
    auto removal = book->begin_region_removal(topology, {&dax0()});
    ASSERT_TRUE(removal);
    EXPECT_TRUE(is_held(book->holds(), topology, dax0()));
    ASSERT_TRUE(removal->finish());
    EXPECT_FALSE(is_held(book->holds(), topology, dax0()));
    EXPECT_TRUE(is_held(restarted()->holds(), topology, topology.dax_devices.at(1)));
}

TEST_F(HoldBookTest, AHoldStaysIfItsRegionDoes) {
    auto book = restarted();
    ASSERT_TRUE(book->hold(topology, dax0()));
    { auto removal = book->begin_region_removal(topology, {&dax0()}); }
    EXPECT_THAT(text(), HasSubstr("hold " + first_key + "\n"));
    EXPECT_TRUE(is_held(restarted()->holds(), topology, dax0()));
}

TEST_F(HoldBookTest, KilledAtARegionsRemovalTheMachineSaysWhetherTheHoldEnds) {
    Topology removed = machine();
    removed.dax_devices.erase(removed.dax_devices.begin());
    const auto killed_in_the_middle = [&] {
        auto dead = restarted();
        ASSERT_TRUE(dead->hold(topology, dax0()));
        std::optional<HoldBook::RegionRemoval> removal =
            std::move(*dead->begin_region_removal(topology, {&dax0()}));
        std::filesystem::copy_file(dir.path() / "holds", dir.path() / "then");
        removal.reset();
        std::filesystem::rename(dir.path() / "then", dir.path() / "holds");
    };
    killed_in_the_middle();
    EXPECT_THAT(text(), HasSubstr("leaving boot-1 " + first_key));
    auto book = restarted();
    EXPECT_THAT(settle(*book, removed), ElementsAre(HasSubstr("its region was removed")));
    EXPECT_TRUE(book->holds().empty());

    killed_in_the_middle();
    book = restarted();
    EXPECT_THAT(settle(*book, topology), IsEmpty()) << "it is still there";
    EXPECT_TRUE(is_held(restarted()->holds(), topology, dax0()));

    killed_in_the_middle();
    book = restarted("boot-2");
    EXPECT_THAT(settle(*book, removed), IsEmpty()) << "it may not have been probed yet";
    EXPECT_THAT(text(), HasSubstr("hold " + first_key + "\n"));
}

// --- Saves that fail ---

TEST_F(HoldBookTest, AFailedSaveChangesNothingWhateverIsAsked) {
    auto book = restarted();
    ASSERT_TRUE(book->hold(topology, topology.dax_devices.at(1)));
    make_ready(*book);
    const Holds before = book->holds();
    const std::string on_disk = text();
    break_saving();
    const std::vector<std::function<Result<>()>> changes{
        [&] { return book->hold(topology, dax0()); },
        [&] { return book->take_in_hand(topology, dax0(), false, true); },
        [&] { return book->release(hold_keys(topology, topology.dax_devices.at(1)), {}); },
        [&] { return book->release({}, {first_card}); },
        [&] { return book->begin(topology.memdevs.at(1), 9).map([](auto&&) {}); },
        [&] {
            return book->begin_region_removal(topology, {&topology.dax_devices.at(1)}).map([](auto&&) {});
        },
        [&] {
            static_cast<void>(book->settle(without_first_card()));
            return book->settle(without_first_card()).map([](auto&&) {});
        },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const auto done = changes[i]();
        ASSERT_FALSE(done) << i;
        EXPECT_THAT(done.error().text(), HasSubstr("holds.new")) << i;
        EXPECT_EQ(book->holds(), before) << i;
        EXPECT_EQ(text(), on_disk) << i;
    }
    mend_saving();
    EXPECT_THAT(settle(*book, without_first_card()), SizeIs(1)) << "it is made up for";
}

TEST_F(HoldBookTest, APreparationWhoseEndCannotBeSavedStaysAndEndsLater) {
    auto book = restarted();
    auto preparation = book->begin(mem0(), 7);
    ASSERT_TRUE(preparation);
    break_saving();
    EXPECT_FALSE(preparation->finish());
    EXPECT_EQ(book->holds().cards.at(first_card), CardState::emptying);
    mend_saving();
    EXPECT_TRUE(preparation->finish());
    EXPECT_EQ(restarted()->holds().cards.at(first_card), CardState::ready);
}

TEST_F(HoldBookTest, APreparationThatCannotBeUndoneSaysSo) {
    auto book = restarted();
    {
        auto preparation = book->begin(mem0(), 7);
        break_saving();
    }
    EXPECT_THAT(unsaved, SizeIs(1));
    mend_saving();
    EXPECT_TRUE(restarted()->holds().empty()) << "nobody takes it for ready";
}

// --- Files ---

TEST_F(HoldBookTest, WhatIsNotUnderstoodIsNotKnownAndStays) {
    const std::vector<std::pair<std::string, std::string>> files{
        {"cxlmemd-holds 3\nend\n", "newer"},
        {"cxlmemd-holds 2\n", "damaged"},
        {"cxlmemd-holds 2\nhold " + first_key + "\n", "damaged"},  // cut off
        {"cxlmemd-holds 2\nheld " + first_key + "\nend\n", "damaged"},
        {"cxlmemd-holds 2\nhold nonsense\nend\n", "damaged"},
        {"cxlmemd-holds 2\nready 0x1 boot-1 1\nend\n", "damaged"},
        {"cxlmemd-holds 2\nready 1 boot-1 1 0000:0d:00.0\nend\n", "damaged"},
        {"cxlmemd-holds 2\nemptying 0x1 boot-1 1 x 0000:0d:00.0\nend\n", "damaged"},
        {"cxlmemd-holds 2\nleaving " + first_key + "\nend\n", "damaged"},
        {"cxlmemd-holds x\nend\n", "damaged"},
        {std::string{"\0\0\0\0\n", 5}, "damaged"},
    };
    for (const auto& [content, why] : files) {
        dir.write("holds", content);
        auto book = new_book();
        const auto loaded = book->load();
        ASSERT_FALSE(loaded) << content;
        EXPECT_THAT(loaded.error().text(), HasSubstr(why)) << content;
        EXPECT_FALSE(book->hold(topology, dax0())) << content;
        EXPECT_FALSE(book->begin(mem0(), 1)) << content;
        EXPECT_FALSE(book->release({}, {first_card})) << content;
        EXPECT_TRUE(book->settle(topology)) << content;
        EXPECT_EQ(text(), content);
    }
    std::filesystem::remove(dir.path() / "holds");
    std::filesystem::create_directory(dir.path() / "holds");
    EXPECT_FALSE(new_book()->load());
}

TEST_F(HoldBookTest, KeepsHostsOfAnyText) {
    topology.memdevs.at(0).host = "a b%\n-";
    auto book = restarted();
    make_ready(*book);
    EXPECT_EQ(restarted()->holds().cards.count({1, "a b%\n-"}), 1U);
    topology.memdevs.at(0).host.clear();
    make_ready(*book);
    EXPECT_EQ(restarted()->holds(), book->holds());
}

TEST_F(HoldBookTest, ReadsTheFilesOfVersionOneAndUpgradesThem) {
    // mem0 was prepared, which held its device; the device of mem1 is held by hand.
    dir.write("holds", first_key + "\nserials 0x2 at 0x200000000\nhmem at 0x40000000\n");
    dir.write("prepared", "1 -\n1 " + first_key + "\n");
    auto book = restarted();
    EXPECT_THAT(book->holds().devices,
                testing::UnorderedElementsAre("serials 0x2 at 0x200000000", "hmem at 0x40000000"));
    EXPECT_THAT(read("holds"), HasSubstr(first_key)) << "nothing is written before a scan";
    EXPECT_THAT(settle(*book, topology), IsEmpty());
    EXPECT_THAT(book->holds().cards, ElementsAre(std::pair{first_card, CardState::ready}));
    EXPECT_FALSE(std::filesystem::exists(dir.path() / "prepared"));
    EXPECT_THAT(text(), HasSubstr("cxlmemd-holds 2\n"));
    EXPECT_EQ(restarted()->holds(), book->holds());
    ASSERT_TRUE(book->release({}, {first_card}));
    EXPECT_FALSE(is_held(book->holds(), topology, dax0())) << "the hold was the card's";
}

TEST_F(HoldBookTest, OfVersionOneOnlyACardThatIsEmptyIsReady) {
    for (const char* what : {"bound", "gone"}) {
        dir.write("holds", "");
        dir.write("prepared", "1 -\n");
        Topology seen = machine();
        if (what == std::string{"bound"}) {
            seen.dax_devices.at(0).mode = DaxMode::system_ram;
        } else {
            seen.memdevs.erase(seen.memdevs.begin());
        }
        auto book = restarted();
        EXPECT_THAT(settle(*book, seen), ElementsAre(HasSubstr("it is not prepared"))) << what;
        EXPECT_TRUE(book->holds().empty()) << what;
        EXPECT_FALSE(std::filesystem::exists(dir.path() / "prepared")) << what;
    }
}

TEST_F(HoldBookTest, KilledBetweenTheTwoStepsOfTheUpgradeItReadsTheNewFile) {
    dir.write("holds", first_key + "\n");
    dir.write("prepared", "1 " + first_key + "\n");
    EXPECT_THAT(settle(*restarted(), topology), IsEmpty());
    const auto after = restarted();
    dir.write("prepared", "1 " + first_key + "\n");  // as if it had not been removed yet
    auto book = restarted();
    EXPECT_EQ(book->holds(), after->holds());
    ASSERT_TRUE(book->release({}, {first_card}));
    EXPECT_TRUE(restarted()->holds().empty());
    EXPECT_FALSE(std::filesystem::exists(dir.path() / "prepared"));
    // An upgrade that cannot be saved leaves both files.
    dir.write("holds", first_key + "\n");
    dir.write("prepared", "1 " + first_key + "\n");
    break_saving();
    EXPECT_FALSE(restarted()->settle(topology));
    EXPECT_EQ(text(), first_key + "\n");
    EXPECT_TRUE(std::filesystem::exists(dir.path() / "prepared"));
}

TEST_F(HoldBookTest, DamagedFilesOfVersionOneAreNotKnown) {
    dir.write("holds", "nonsense\n");
    EXPECT_FALSE(new_book()->load());
    dir.write("holds", "");
    dir.write("prepared", "no number\n");
    EXPECT_FALSE(new_book()->load());
    dir.write("prepared", "7 nonsense\n");
    EXPECT_FALSE(new_book()->load());
}

TEST_F(HoldBookTest, WithoutABootIdAReadyCardHasToProveEmptyAfterARestart) {
    make_ready(*restarted(""));
    auto book = restarted("");
    EXPECT_THAT(settle(*book, topology), IsEmpty());
    EXPECT_EQ(book->holds().cards.count(first_card), 1U);
    Topology bound = machine();
    bound.dax_devices.at(0).mode = DaxMode::system_ram;
    book = restarted("boot-1");
    EXPECT_THAT(settle(*book, bound), SizeIs(1));
    EXPECT_TRUE(book->holds().empty());
}

}  // namespace
}  // namespace cxlmemd
