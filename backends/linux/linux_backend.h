// SPDX-License-Identifier: LGPL-2.1-or-later
// The real machine: libcxl, libdaxctl, sysfs, udev. See backends/backend.h for what each call promises.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "backends/backend.h"
#include "backends/linux/competitors.h"
#include "backends/linux/cxl_scan.h"
#include "backends/linux/dax_driver.h"
#include "backends/linux/files_ahead.h"
#include "backends/linux/host.h"
#include "backends/linux/memory_blocks.h"
#include "backends/linux/node_blocks.h"
#include "backends/linux/paths.h"
#include "backends/linux/region_create.h"
#include "backends/linux/region_removal.h"
#include "backends/linux/tiers.h"
#include "backends/linux/tunables.h"

namespace cxlmemd {

// Worker thread. Holds no facts but the folder of memory blocks, the ranges of devices as long as they are
// bound as they were, open files of the blocks that are expected next, and what was last on the CXL bus;
// every call looks at the kernel anew, but for the last, which scan_memory() may take.
class LinuxBackend final : public Backend {
 public:
    using Clock = std::uint64_t (*)();  // microseconds that only grow

    // Without a clock it does not know how long it writes.
    explicit LinuxBackend(LinuxPaths paths, Clock clock = nullptr);

    [[nodiscard]] std::string_view name() const override { return "linux"; }
    [[nodiscard]] Result<Topology> scan() override;
    [[nodiscard]] Result<Topology> scan_memory() override;
    [[nodiscard]] Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override;
    [[nodiscard]] Result<> set_block(const DaxIdentity& owner, BlockIndex block, BlockTarget target) override;
    void expect_blocks(const DaxIdentity& owner, std::span<const BlockIndex> blocks) override;
    [[nodiscard]] std::uint64_t usec_in_writes() const override { return usec_in_writes_; }
    [[nodiscard]] Result<> set_mode(const DaxIdentity& device, DaxMode mode) override;
    [[nodiscard]] Result<> set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                             const Progress& progress) override;
    [[nodiscard]] Result<> destroy_region(const RegionIdentity& region) override;
    [[nodiscard]] Result<> set_auto_online(AutoOnline value) override;
    [[nodiscard]] Result<> set_interleave_weight(NodeId node, std::uint32_t weight) override {
        return write_interleave_weight(paths_, node, weight);
    }
    [[nodiscard]] Result<> set_interleave_auto(bool on) override { return write_interleave_auto(paths_, on); }
    [[nodiscard]] Result<> set_demotion(bool on) override { return write_demotion(paths_, on); }
    [[nodiscard]] Result<RegionDraft> draft_region(const RegionOrder& order) override {
        return RegionCreate{paths_}.draft(order);
    }
    [[nodiscard]] Result<> create_region(const RegionDraft& draft) override {
        return RegionCreate{paths_}.create(draft);
    }
    [[nodiscard]] Result<> clear_region(const RegionTrace& trace) override {
        return RegionCreate{paths_}.clear(trace);
    }

 private:
    // A device's link in kmem's folder, which each bind makes anew: while it is the same one, the device is
    // the same, is bound to kmem, and has the ranges that it had. One short look instead of two long ones.
    struct KmemLink {
        std::shared_ptr<const sysfs::Fd> folder;
        std::string name;
        std::uint64_t inode = 0;

        [[nodiscard]] bool is_there() const;
    };
    struct KnownOwner {
        std::uint64_t generation = 0;
        std::vector<PhysRange> ranges;
        KmemLink link;
    };
    class KmemLinks;
    // Each link in the folder of the CXL bus has an inode of its own: while the same ones are there, so are
    // the devices. A dax device of a region stands on one of them (dax_regionN, pmem_regionN) too, and a
    // region that has it cannot be changed.
    using CxlDevices = std::map<std::string, std::uint64_t>;
    struct LastCxl {
        CxlDevices devices;  // before it was scanned
        CxlScan found;
    };
    [[nodiscard]] Result<Topology> scan_with(bool last_cxl_will_do);
    [[nodiscard]] Result<CxlScan> cxl_as_it_is();
    struct Kernel {
        Bytes block_size;
        bool hotremove = true;
    };
    [[nodiscard]] Result<> know_kernel();
    // Appends those that exist to `out`, those of which it cannot be told to `unread`.
    void read_blocks(std::span<const BlockIndex> indices, NodeId node, NodeBlocks& of_nodes,
                     std::vector<Block>& out, std::vector<Unreadable>& unread) const;
    [[nodiscard]] Result<> read_other_blocks(NodeBlocks& of_nodes, Topology& out);
    [[nodiscard]] const KnownOwner* known(const DaxIdentity& owner) const;  // as it was last
    // As it is now.
    [[nodiscard]] Result<const KnownOwner*> check_owner(const DaxIdentity& owner, const char* operation);
    void open_ahead(const DaxIdentity& owner, BlockIndex first);
    [[nodiscard]] sysfs::OrErrno<> write_state(const sysfs::Fd& state, std::string_view value);

    LinuxPaths paths_;
    Clock clock_;
    std::uint64_t usec_in_writes_ = 0;
    MemoryBlocks blocks_;
    std::optional<Kernel> kernel_;                        // empty until it could be read
    std::optional<std::vector<PhysRange>> firmware_ram_;  // likewise
    DaxDriver driver_;
    RegionRemoval removal_;
    std::map<std::string, KnownOwner> known_;  // by name; those on kmem at the last look, or worked on since
    bool can_open_ahead_;                      // there is a processor that can
    DaxIdentity expected_owner_;
    std::vector<BlockIndex> expected_;
    std::optional<FilesAhead> ahead_;  // of expected_owner_
    std::optional<LastCxl> last_cxl_;
    Tiers tiers_;
    Competitors competitors_;
    HostReader host_;
};

// Throws std::system_error if udev's monitor cannot be set up.
[[nodiscard]] BackendPair make_linux(const LinuxPaths& paths = {}, LinuxBackend::Clock clock = nullptr);

}  // namespace cxlmemd
