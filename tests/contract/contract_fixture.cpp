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

}  // namespace cxlmemd::contract
