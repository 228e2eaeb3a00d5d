// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/recorded_backend.h"

#include <functional>
#include <string>
#include <utility>

namespace cxlmemd {

namespace {

// The words are put together only if the loop thread looks: not for each of a thousand blocks.
template <class Words>
class Recording final {
 public:
    Recording(CallRecord& record, Words words) : record_(record), words_(std::move(words)) {
        record_.begin([this]() -> std::string { return words_(); });
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() { record_.end(); }

 private:
    CallRecord& record_;
    Words words_;
};

// A write that is not to a memory block.
Result<> answered(CallRecord& record, KernelAnswers& answers, const char* operation, std::string object,
                  std::string value, const std::function<Result<>()>& write) {
    const std::uint64_t began = record.now_usec();
    Result<> done = write();
    answers.note({.operation = operation,
                  .object = std::move(object),
                  .value = std::move(value),
                  .block = {},
                  .began_usec = began,
                  .ended_usec = record.now_usec(),
                  .error = done ? std::nullopt : std::optional{done.error()}});
    return done;
}

}  // namespace

Result<Topology> RecordedBackend::scan() {
    const Recording recording{record_, [&] { return "looking at the machine"; }};
    return inner_->scan();
}

Result<Topology> RecordedBackend::scan_memory() {
    const Recording recording{record_, [&] { return "looking at the memory"; }};
    return inner_->scan_memory();
}

Result<std::vector<Block>> RecordedBackend::read_blocks(std::span<const BlockIndex> indices) {
    const Recording recording{record_, [&] { return "reading memory blocks"; }};
    return inner_->read_blocks(indices);
}

Result<> RecordedBackend::set_block(const DaxIdentity& owner, BlockIndex block, BlockTarget target) {
    const Recording recording{record_, [&] {
                                  return "writing '" + std::string{to_string(target)} + "' to memory block " +
                                         std::to_string(block.value()) + " of " + owner.name;
                              }};
    const std::uint64_t began = record_.now_usec();
    Result<> done = inner_->set_block(owner, block, target);
    answers_.note_block(target == BlockTarget::offline ? "offline" : "online", owner.name, to_string(target),
                        block, began, record_.now_usec(), done ? nullptr : &done.error());
    return done;
}

void RecordedBackend::expect_blocks(const DaxIdentity& owner, std::span<const BlockIndex> blocks) {
    const Recording recording{record_, [&] { return "getting ready for blocks of " + owner.name; }};
    inner_->expect_blocks(owner, blocks);
}

Result<> RecordedBackend::set_mode(const DaxIdentity& device, DaxMode mode) {
    const Recording recording{
        record_, [&] { return "changing " + device.name + " to mode " + std::string{to_string(mode)}; }};
    return answered(record_, answers_, "set_mode", device.name, std::string{to_string(mode)},
                    [&] { return inner_->set_mode(device, mode); });
}

Result<> RecordedBackend::set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                            const Progress& progress) {
    const Recording recording{
        record_,
        [&] { return "writing '" + std::string{to_string(state)} + "' to the state of " + device.name; }};
    return answered(record_, answers_, "set_hotplug_state", device.name, std::string{to_string(state)},
                    [&] { return inner_->set_hotplug_state(device, state, progress); });
}

Result<> RecordedBackend::destroy_region(const RegionIdentity& region) {
    const Recording recording{record_, [&] { return "taking " + region.name + " apart"; }};
    return answered(record_, answers_, "destroy_region", region.name, {},
                    [&] { return inner_->destroy_region(region); });
}

Result<> RecordedBackend::set_interleave_weight(NodeId node, std::uint32_t weight) {
    const Recording recording{
        record_, [&] { return "writing the interleave weight of node " + std::to_string(node.value()); }};
    return answered(record_, answers_, "set_interleave_weight", "node" + std::to_string(node.value()),
                    std::to_string(weight), [&] { return inner_->set_interleave_weight(node, weight); });
}

Result<> RecordedBackend::set_interleave_auto(bool on) {
    const Recording recording{record_, [&] { return "writing weighted_interleave/auto"; }};
    return answered(record_, answers_, "set_interleave_auto", {}, on ? "on" : "off",
                    [&] { return inner_->set_interleave_auto(on); });
}

Result<> RecordedBackend::set_demotion(bool on) {
    const Recording recording{record_, [&] { return "writing demotion_enabled"; }};
    return answered(record_, answers_, "set_demotion", {}, on ? "on" : "off",
                    [&] { return inner_->set_demotion(on); });
}

Result<RegionDraft> RecordedBackend::draft_region(const RegionOrder& order) {
    const Recording recording{record_, [&] { return "looking for room for a region"; }};
    return inner_->draft_region(order);
}

Result<> RecordedBackend::create_region(const RegionDraft& draft) {
    const Recording recording{record_, [&] { return "making " + draft.trace.region; }};
    return answered(record_, answers_, "create_region", draft.trace.region, {},
                    [&] { return inner_->create_region(draft); });
}

Result<> RecordedBackend::clear_region(const RegionTrace& trace) {
    const Recording recording{record_,
                              [&] { return "taking back the interrupted creation of " + trace.region; }};
    return answered(record_, answers_, "clear_region", trace.region, {},
                    [&] { return inner_->clear_region(trace); });
}

Result<> RecordedBackend::set_auto_online(AutoOnline value) {
    const Recording recording{
        record_, [&] { return "writing '" + std::string{to_string(value)} + "' to auto_online_blocks"; }};
    return answered(record_, answers_, "set_auto_online", {}, std::string{to_string(value)},
                    [&] { return inner_->set_auto_online(value); });
}

}  // namespace cxlmemd
