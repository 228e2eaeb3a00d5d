// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/contract_fixture.h"

#include <poll.h>

#include <algorithm>

namespace cxlmemd::contract {

Topology ContractTest::scan() {
    Result<Topology> topology = backend().scan();
    if (topology) return *topology;
    ADD_FAILURE() << topology.error().text();
    return {};
}

DaxDevice ContractTest::device(const std::string& name) {
    const Topology topology = scan();
    if (const DaxDevice* found = find_dax(topology, name); found != nullptr) return *found;
    ADD_FAILURE() << "there is no " << name;
    return {};
}

Zone ContractTest::zone(BlockIndex index) {
    const auto found = backend().read_blocks({&index, 1});
    if (!found || found->size() != 1) {
        ADD_FAILURE() << "block " << index.value() << " cannot be read";
        return Zone::none;
    }
    EXPECT_EQ(found->front().state == BlockState::online, found->front().zone != Zone::none);
    return found->front().zone;
}

std::size_t ContractTest::online_blocks() {
    const std::vector<Block> present = present_blocks(scan(), device());
    return static_cast<std::size_t>(std::ranges::count(present, BlockState::online, &Block::state));
}

template <class Wanted>
bool ContractTest::told(Wanted wanted) {
    constexpr int patience_ms = 5000;
    EventSource& events = machine_->events();
    pollfd poll{.fd = events.fd(), .events = POLLIN, .revents = 0};
    while (::poll(&poll, 1, patience_ms) > 0) {
        const std::vector<Event> taken = events.take();
        if (std::ranges::any_of(taken, wanted)) return true;
    }
    return false;
}

bool ContractTest::told_to_look_at(BlockIndex index) {
    return told(
        [&](const Event& event) { return event.scope == Event::Scope::everything || event.block == index; });
}

bool ContractTest::told_to_scan() {
    return told([](const Event& event) { return event.scope == Event::Scope::everything; });
}

bool ContractTest::told_of_removal(const std::string& name) {
    return told([&](const Event& event) { return event.removed && event.subject == name; });
}

void ContractTest::quiet() {
    constexpr int quiet_ms = 300;
    pollfd poll{.fd = machine_->events().fd(), .events = POLLIN, .revents = 0};
    while (::poll(&poll, 1, quiet_ms) > 0) static_cast<void>(machine_->events().take());
}

bool ContractTest::comes(const std::function<bool()>& condition) {
    constexpr int patience = 200;  // of a tenth of a second each
    for (int i = 0; i < patience; ++i) {
        if (condition()) return true;
        pollfd poll{.fd = machine_->events().fd(), .events = POLLIN, .revents = 0};
        static_cast<void>(::poll(&poll, 1, 100));  // something may have no event of its own
        static_cast<void>(machine_->events().take());
    }
    return false;
}

Region ContractTest::region() {
    const Topology topology = scan();
    const Region* found = find_region(topology, device().id.region);
    if (found != nullptr) return *found;
    ADD_FAILURE() << "the device under test has no region";
    return {};
}

RegionIdentity ContractTest::region_identity() {
    return identity_of(scan(), region());
}

RegionOrder ContractTest::order_of_the_card() {
    const Topology topology = scan();
    const Region like = region();
    const Memdev* card = like.memdevs.empty() ? nullptr : find_memdev(topology, like.memdevs.front());
    if (card == nullptr) {
        ADD_FAILURE() << "the device under test has no card";
        return {};
    }
    return {.type = RegionType::ram,
            .root_decoder = like.root_decoder,
            .members = {{card->name, card->generation}},
            .interleave_granularity = 256,
            .size = like.size};
}

}  // namespace cxlmemd::contract
