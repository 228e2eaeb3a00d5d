// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/bench/pieces.h"

#include <memory>
#include <stdexcept>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "daemon/facts_builder.h"
#include "dbus/facts.h"
#include "policy/block_change.h"
#include "policy/decide.h"
#include "tests/bench/large_server.h"

namespace cxlmemd::test {

namespace {

Policy one_rule() {
    Policy policy;
    Rule& rule = policy.rules.emplace_back();
    rule.name = "all";
    rule.match.kind = {DaxKind::cxl_ram};
    return policy;
}

std::shared_ptr<Model> large_model() {
    static const Holds nothing;
    auto model = std::make_shared<Model>(nothing);
    model->topology = large_server();
    model->owners = BlockOwners{model->topology};
    model->policy = one_rule();
    model->decisions = decide(model->topology, model->policy, {});
    return model;
}

std::function<void()> read_file() {
    return [text = large_server_text()] {
        if (!emulator::parse_machine(text, "x")) throw std::logic_error("the machine has mistakes");
    };
}

std::function<void()> scan() {
    auto description = emulator::parse_machine(large_server_text(), "x");
    if (!description) throw std::logic_error("the machine has mistakes");
    const std::shared_ptr<Backend> backend = make_emulator(std::move(*description)).pair.worker_side;
    return [backend] {
        if (!backend->scan()) throw std::logic_error("no scan");
    };
}

std::function<void()> decide_all() {
    return [model = large_model()] { model->decisions = decide(model->topology, model->policy, {}); };
}

std::function<void()> show_all() {
    return [model = large_model(), shown = bus::Snapshot{}]() mutable {
        shown = build_snapshot(*model, totals_of(*model), false);
    };
}

// A block in the middle comes online or goes offline: from what was read of it to what the bus is to show.
std::function<void()> one_block() {
    auto model = large_model();
    const BlockIndex index = model->topology.blocks.at(server_blocks / 2).index;
    if (!bound_stand_alone(model->topology, model->decisions)) throw std::logic_error("not alone");
    return [model, index, totals = totals_of(*model), shown = bus::Changes{}]() mutable {
        shown = {};
        Block block = *find_block(model->topology, index);
        const bool on = block.state != BlockState::online;
        block.state = on ? BlockState::online : BlockState::offline;
        block.zone = on ? Zone::movable : Zone::none;
        const BlockChange change = exchange_blocks(model->topology, model->owners, {&index, 1}, {&block, 1});
        for (const std::size_t i : change.devices) {
            const DaxDevice& device = model->topology.dax_devices[i];
            plan_again(model->topology, device, model->decisions[i]);
            shown.dax_devices.push_back(build_dax(*model, device, &model->decisions[i]));
        }
        for (const NodeId id : change.nodes) {
            shown.nodes.push_back(build_node_memory(*find_node(model->topology, id)));
        }
        shown.manager = build_manager(*model, totals, false);
    };
}

}  // namespace

const std::vector<Piece>& pieces() {
    static const std::vector<Piece> all{{"read-file", read_file},
                                        {"scan", scan},
                                        {"decide-all", decide_all},
                                        {"show-all", show_all},
                                        {"one-block", one_block}};
    return all;
}

}  // namespace cxlmemd::test
