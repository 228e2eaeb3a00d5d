// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/linux_backend.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "backends/linux/dax_scan.h"
#include "backends/linux/features.h"
#include "backends/linux/firmware_ram.h"
#include "backends/linux/hotplug_write.h"
#include "backends/linux/nodes.h"
#include "backends/linux/state_watch.h"
#include "backends/linux/sysfs.h"
#include "backends/linux/udev_events.h"
#include "backends/linux/write_errors.h"

namespace cxlmemd {

namespace {

// A region may come or go between the two libraries' looks: both are asked again.
constexpr int most_looks = 3;
// From so many on their node is asked first.
constexpr std::size_t many_blocks = 16;
// From so many on a thread that opens their files gains more than it costs.
constexpr std::size_t blocks_worth_a_thread = 8;

Error gone(const DaxIdentity& device, const char* operation, const char* reason) {
    return {.code = ErrorCode::gone, .object = device.name, .operation = operation, .reason = reason};
}

// A region and the node that its memory is on show the same path: what one of them does not know, the other
// may. (6.12 fills in the node, 7.3 the region.)
void share_coordinates(Topology& topology) {
    for (const DaxDevice& device : topology.dax_devices) {
        const auto region = std::ranges::find(topology.regions, device.id.region, &Region::name);
        const auto node = std::ranges::find(topology.nodes, device.target_node, &Node::id);
        if (region == topology.regions.end() || node == topology.nodes.end()) continue;
        if (region->access == AccessCoordinates{}) region->access = node->access;
        if (node->access == AccessCoordinates{}) node->access = region->access;
    }
}

bool lies_in(BlockIndex block, const std::vector<PhysRange>& ranges, Bytes block_size) {
    const std::uint64_t start = block.value() * block_size.value();
    return std::ranges::any_of(ranges, [&](const PhysRange& range) {
        return start >= range.start.value() && start + block_size.value() <= range.end().value();
    });
}

std::vector<BlockIndex> blocks_in(const std::vector<PhysRange>& ranges, Bytes block_size) {
    DaxDevice device;
    device.ranges = ranges;
    return whole_blocks(device, block_size);
}

// That this process may run on.
bool has_two_processors() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) != 0)
        return errno == EINVAL;  // more than the set has room for
    return CPU_COUNT(&set) > 1;
}

// After unknown_region stayed unknown for every look: better a device without a region than none.
void adopt(DaxScan& dax) {
    std::ranges::move(dax.unknown_region, std::back_inserter(dax.devices));
    std::ranges::sort(dax.devices, {}, [](const DaxDevice& device) { return device.id.name; });
}

}  // namespace

// The links as they are now, to be looked at before the devices: should one be another's by the time its
// device is looked at, it will not be found again.
class LinuxBackend::KmemLinks final {
 public:
    explicit KmemLinks(const LinuxPaths& paths)
        : folder_(std::make_shared<const sysfs::Fd>(sysfs::open_folder(paths.dax_drivers() + "/kmem"))),
          inodes_(sysfs::inodes_in(paths.dax_drivers() + "/kmem")) {}

    // An inode of 0 is never there.
    [[nodiscard]] KmemLink of(const std::string& name) const {
        const auto found = inodes_.find(name);
        return {folder_, name, found == inodes_.end() ? 0 : found->second};
    }

 private:
    std::shared_ptr<const sysfs::Fd> folder_;
    std::map<std::string, std::uint64_t> inodes_;
};

LinuxBackend::LinuxBackend(LinuxPaths paths, Clock clock)
    : paths_(std::move(paths)),
      clock_(clock != nullptr ? clock : [] { return std::uint64_t{0}; }),
      blocks_(paths_),
      driver_(paths_, blocks_),
      removal_(paths_, blocks_),
      can_open_ahead_(has_two_processors()),
      tiers_(paths_),
      competitors_(paths_),
      host_(paths_) {}

Result<CxlScan> LinuxBackend::cxl_as_it_is() {
    last_cxl_.reset();
    CxlDevices devices = sysfs::inodes_in(paths_.cxl_devices());
    auto found = scan_cxl(paths_);
    if (found) last_cxl_ = LastCxl{std::move(devices), *found};
    return found;
}

Result<Topology> LinuxBackend::scan() {
    return scan_with(false);
}

Result<Topology> LinuxBackend::scan_memory() {
    return scan_with(last_cxl_ && last_cxl_->devices == sysfs::inodes_in(paths_.cxl_devices()));
}

// What never changes while the kernel runs, once it could be read.
Result<> LinuxBackend::know_kernel() {
    if (kernel_) return {};
    const auto size = blocks_.block_size();
    if (!size) return fail(size.error());
    const auto hotremove = blocks_.hotremove();
    if (!hotremove) return fail(hotremove.error());
    kernel_ = Kernel{*size, *hotremove};
    return {};
}

Result<Topology> LinuxBackend::scan_with(bool last_cxl_will_do) {
    Topology out;
    if (auto known = know_kernel(); !known) return fail(known.error());
    out.block_size = kernel_->block_size;
    const auto auto_online = blocks_.auto_online();
    if (!auto_online) return fail(auto_online.error());
    out.auto_online = auto_online->value_or(AutoOnline::offline);

    DaxScan dax;
    for (int look = 0; look < most_looks; ++look) {
        auto cxl = last_cxl_will_do && look == 0 ? Result<CxlScan>{last_cxl_->found} : cxl_as_it_is();
        if (!cxl) return tl::unexpected(cxl.error());
        const KmemLinks links(paths_);
        auto found = scan_dax(paths_, cxl->regions, cxl->memdevs);
        if (!found) return tl::unexpected(found.error());
        out.memdevs = std::move(cxl->memdevs);
        out.root_decoders = std::move(cxl->root_decoders);
        out.regions = std::move(cxl->regions);
        out.endpoint_decoders = std::move(cxl->endpoint_decoders);
        out.unreadable = std::move(cxl->unreadable);
        dax = std::move(*found);
        known_.clear();
        for (const DaxDevice& device : dax.devices) {
            if (device.mode != DaxMode::system_ram) continue;
            known_[device.id.name] = {device.id.generation, device.ranges, links.of(device.id.name)};
        }
        if (dax.unknown_region.empty()) break;
    }
    adopt(dax);
    out.dax_devices = std::move(dax.devices);
    std::ranges::move(dax.unreadable, std::back_inserter(out.unreadable));

    auto zones = read_zones(paths_);
    NodeScan nodes = read_nodes(paths_, zones);
    NodeBlocks of_nodes(paths_, blocks_, out.block_size, std::move(zones));
    const bool no_blocks = out.block_size.value() == 0;
    for (DaxDevice& device : out.dax_devices) {
        const std::size_t before = out.blocks.size();
        std::vector<Unreadable> unread;
        for (const PhysRange& range : device.ranges) {
            read_blocks(blocks_.overlapping(range, out.block_size), device.target_node, of_nodes, out.blocks,
                        unread);
        }
        // kmem is at it: the block is there once its node is.
        if (device.mode == DaxMode::system_ram)
            std::erase_if(unread, [](const Unreadable& each) { return each.errnum == EAGAIN; });
        std::ranges::move(unread, std::back_inserter(out.unreadable));
        // The driver was read first: a bind in between would look like memory that an unbind has lost.
        if (device.mode != DaxMode::system_ram && out.blocks.size() != before) {
            device.mode = read_dax_mode(paths_, device.id.name).value_or(device.mode);
        }
    }
    if (!no_blocks) {
        if (auto read = read_other_blocks(of_nodes, out); !read) return fail(read.error());
    }
    if (!std::ranges::is_sorted(out.blocks, {}, &Block::index))
        std::ranges::sort(out.blocks, {}, &Block::index);
    const auto same = [](const Block& a, const Block& b) { return a.index == b.index; };
    out.blocks.erase(std::unique(out.blocks.begin(), out.blocks.end(), same), out.blocks.end());

    out.nodes = std::move(nodes.nodes);
    out.kernel_available = nodes.kernel_available;
    tiers_.fill(out);
    share_coordinates(out);
    out.features = read_features(paths_, kernel_->hotremove, out);
    out.competitors = competitors_.look();
    out.host = host_.read();
    out.interleave_auto = read_interleave_auto(paths_);
    out.demotion_enabled = read_demotion(paths_);
    return out;
}

// Memory of cards that no dax device has: plain System RAM, or what a device has left behind.
Result<> LinuxBackend::read_other_blocks(NodeBlocks& of_nodes, Topology& out) {
    std::vector<PhysRange> places;
    for (const RootDecoder& root : out.root_decoders) {
        if (root.window.size.value() != 0) places.push_back(root.window);
    }
    for (const Region& region : out.regions) {
        if (region.size.value() != 0) places.push_back({region.resource, region.size});
    }
    auto found = blocks_.existing(places, out.block_size);
    if (!found) {
        return fail({.code = ErrorCode::failed,
                     .object = "memory blocks",
                     .operation = "list",
                     .errnum = found.error(),
                     .reason = "the kernel did not say which there are",
                     .advice = {}});
    }
    std::vector<BlockIndex> of_devices;
    for (const DaxDevice& device : out.dax_devices) {
        for (const PhysRange& range : device.ranges)
            std::ranges::move(blocks_.overlapping(range, out.block_size), std::back_inserter(of_devices));
    }
    std::ranges::sort(of_devices);
    std::erase_if(*found, [&](BlockIndex index) { return std::ranges::binary_search(of_devices, index); });
    if (found->empty()) {
        out.firmware_ram = std::vector<PhysRange>{};  // nobody will ask
        return {};
    }
    read_blocks(*found, no_node, of_nodes, out.blocks, out.unreadable);
    if (!firmware_ram_) firmware_ram_ = read_firmware_ram(paths_);
    out.firmware_ram = firmware_ram_;
    return {};
}

Result<std::vector<Block>> LinuxBackend::read_blocks(std::span<const BlockIndex> indices) {
    if (auto known = know_kernel(); !known) return fail(known.error());
    std::vector<Block> out;
    std::vector<Unreadable> unread;
    // zoneinfo is long where there are many processors.
    NodeBlocks of_nodes(paths_, blocks_, kernel_->block_size,
                        indices.size() < many_blocks ? NodeBlocks::Zones{} : read_zones(paths_));
    read_blocks(indices, no_node, of_nodes, out, unread);
    // A block without a node is being made: its events go on.
    std::erase_if(unread, [](const Unreadable& each) { return each.errnum == EAGAIN; });
    if (!unread.empty()) {
        const int errnum = unread.front().errnum;
        return fail({.code = errnum == EINTR ? ErrorCode::canceled : ErrorCode::failed,
                     .object = unread.front().what,
                     .operation = "read",
                     .errnum = errnum,
                     .reason = errnum == 0 ? "the kernel's answer makes no sense" : "the kernel did not say",
                     .advice = {}});
    }
    return out;
}

void LinuxBackend::read_blocks(std::span<const BlockIndex> indices, NodeId node, NodeBlocks& of_nodes,
                               std::vector<Block>& out, std::vector<Unreadable>& unread) const {
    const bool many = indices.size() >= many_blocks;
    for (const BlockIndex index : indices) {
        auto block = many ? of_nodes.find(index, node) : std::nullopt;
        if (!block) {
            const auto read = blocks_.read(index, node);
            if (!read && !read.error().is_absence())
                unread.push_back(unreadable(index, kernel_->block_size, read.error()));
            if (!read) continue;
            block = *read;
        }
        out.push_back(*block);
        node = block->node;  // the next one is on it too, most likely
    }
}

bool LinuxBackend::KmemLink::is_there() const {
    return inode != 0 && sysfs::link_inode_at(folder->get(), name) == inode;
}

const LinuxBackend::KnownOwner* LinuxBackend::known(const DaxIdentity& owner) const {
    const auto found = known_.find(owner.name);
    return found != known_.end() && found->second.generation == owner.generation ? &found->second : nullptr;
}

Result<const LinuxBackend::KnownOwner*> LinuxBackend::check_owner(const DaxIdentity& owner,
                                                                  const char* operation) {
    if (const KnownOwner* const before = known(owner); before != nullptr && before->link.is_there()) {
        return before;
    }
    ahead_.reset();
    known_.erase(owner.name);
    const KmemLinks links(paths_);
    if (read_dax_generation(paths_, owner.name) != owner.generation) {
        return fail(gone(owner, operation, "the device is not the one this was meant for any more"));
    }
    if (read_dax_mode(paths_, owner.name) != DaxMode::system_ram) {
        return fail(gone(owner, operation, "the device is not bound to kmem any more"));
    }
    auto ranges = read_dax_ranges(paths_, owner.name);
    if (!ranges) return fail(mapping_error(owner.name, operation, ranges.error()));
    KnownOwner& now = known_[owner.name];
    now = {owner.generation, std::move(*ranges), links.of(owner.name)};
    return &now;
}

void LinuxBackend::expect_blocks(const DaxIdentity& owner, std::span<const BlockIndex> blocks) {
    ahead_.reset();
    expected_.clear();
    if (blocks.size() < blocks_worth_a_thread || !can_open_ahead_) return;
    expected_owner_ = owner;
    expected_.assign(blocks.begin(), blocks.end());
}

// With the first block, whose owner has been looked at, begins what prepares the rest.
void LinuxBackend::open_ahead(const DaxIdentity& owner, BlockIndex first) {
    if (expected_.empty() || expected_.front() != first || expected_owner_ != owner) return;
    std::vector<BlockIndex> rest(expected_.begin() + 1, expected_.end());
    expected_.clear();
    try {
        ahead_.emplace(blocks_, std::move(rest));
    } catch (const std::system_error&) {
        // No thread to be had: each file is opened in its turn.
    }
}

sysfs::OrErrno<> LinuxBackend::write_state(const sysfs::Fd& state, std::string_view value) {
    const std::uint64_t began = clock_();
    const auto done = hotplug_write(state, value);
    usec_in_writes_ += clock_() - began;
    return done;
}

Result<> LinuxBackend::set_block(const DaxIdentity& owner, BlockIndex block, BlockTarget target) {
    const std::string operation(to_string(target));
    if (auto understood = know_kernel(); !understood) return understood;
    if (target == BlockTarget::offline && !kernel_->hotremove) {
        return fail({.code = ErrorCode::not_supported,
                     .object = block_words(block),
                     .operation = operation,
                     .reason = "this kernel cannot hot-remove memory (CONFIG_MEMORY_HOTREMOVE)"});
    }
    if (const KnownOwner* const before = ahead_ && expected_owner_ == owner ? known(owner) : nullptr;
        before != nullptr && lies_in(block, before->ranges, kernel_->block_size)) {
        // It was opened after the owner's bind, and the owner is still bound by that.
        if (const sysfs::Fd* const state = ahead_->take(block); state != nullptr && before->link.is_there()) {
            const auto done = write_state(*state, to_string(target));
            if (done) return {};
            if (done.error() != ENODEV) return fail(block_error(block, target, done.error()));
            // Removed since it was opened: what is there now is looked at.
        }
    }
    // The file first, then the owner: as the owner is still itself then, the open file is its block's, and a
    // write after its removal answers ENODEV, even if another device has a block of that name by then (R7).
    const auto state = blocks_.open_state(block);
    const auto owned = check_owner(owner, operation.c_str());
    if (!owned) return tl::unexpected(owned.error());
    if (!state) return fail(block_error(block, target, state.error()));
    if (!lies_in(block, (*owned)->ranges, kernel_->block_size)) {
        return fail({.code = ErrorCode::invalid_argument,
                     .object = block_words(block),
                     .operation = operation,
                     .reason = fmt::format("it does not lie wholly in {}", owner.name)});
    }
    open_ahead(owner, block);
    if (const auto done = write_state(*state, to_string(target)); !done) {
        return fail(block_error(block, target, done.error()));
    }
    return {};
}

Result<> LinuxBackend::set_mode(const DaxIdentity& device, DaxMode mode) {
    const auto now = read_dax(paths_, device.name);
    if (!now) return tl::unexpected(now.error());
    // The generation alone tells incarnations apart; region and start guard against a made-up identity.
    if (!*now || (*now)->id.generation != device.generation || (*now)->id.start != device.start) {
        return fail(gone(device, "set mode", "the device is not the one this was meant for any more"));
    }
    ahead_.reset();
    known_.erase(device.name);
    return driver_.set_mode(**now, mode);
}

Result<> LinuxBackend::set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                         const Progress& progress) {
    const std::string operation = "set state " + std::string(to_string(state));
    if (auto understood = know_kernel(); !understood) return understood;
    ahead_.reset();
    // The file first, then the owner, as in set_block() (R7).
    const auto file = sysfs::open_to_write(paths_.dax_devices() + "/" + device.name + "/state");
    const auto owned = check_owner(device, operation.c_str());
    if (!owned) return tl::unexpected(owned.error());
    if (!file) return fail(state_error(device, state, file.error()));
    if (state == HotplugState::unplugged && !kernel_->hotremove) {
        return fail({.code = ErrorCode::not_supported,
                     .object = device.name,
                     .operation = operation,
                     .reason = "this kernel cannot hot-remove memory (CONFIG_MEMORY_HOTREMOVE)"});
    }
    const bool away = state == HotplugState::unplugged;
    const StateWatch watch{blocks_, blocks_in((*owned)->ranges, kernel_->block_size), !away, progress};
    if (const auto done = write_state(*file, to_string(state)); !done)
        return fail(state_error(device, state, done.error()));
    return {};
}

Result<> LinuxBackend::destroy_region(const RegionIdentity& region) {
    ahead_.reset();
    known_.clear();
    return removal_.destroy(region);
}

Result<> LinuxBackend::set_auto_online(AutoOnline value) {
    const std::string file = paths_.memory() + "/auto_online_blocks";
    const auto done = sysfs::write(file, to_string(value));
    if (done) return {};
    const bool missing = done.error() == ENOENT;
    return fail(
        {.code = missing ? ErrorCode::not_supported : code_of_errno(done.error()),
         .object = "auto_online_blocks",
         .operation = "set " + std::string(to_string(value)),
         .errnum = done.error(),
         .reason = missing ? "this kernel cannot hot-add memory" : "the kernel's file was not written",
         .advice = {}});
}

BackendPair make_linux(const LinuxPaths& paths, LinuxBackend::Clock clock) {
    return {.worker_side = std::make_unique<LinuxBackend>(paths, clock),
            .loop_side = std::make_unique<UdevEvents>()};
}

}  // namespace cxlmemd
