// Backend operations that fail, hang or take time, and events that misbehave.
#include <fmt/format.h>

#include <cstring>

#include "backends/emulator/inject_handlers.h"
#include "backends/emulator/values.h"

namespace cxlmemd::emulator::handlers {

namespace {

constexpr int highest_errno = 4095;  // MAX_ERRNO of the kernel

int errnum(Details& details) {
    const std::string text = details.needed(details.word("errno"), "errno");
    if (const auto number = parse_number(text); number && *number >= 1 && *number <= highest_errno) {
        return static_cast<int>(*number);
    }
    for (int i = 1; i < 256; ++i) {
        if (const char* name = ::strerrorname_np(i); name != nullptr && text == name) return i;
    }
    details.wrong("errno", "must be an errno, by name or number");
    return 0;
}

Result<> add_fault(InjectTarget target, Details& details, Fault fault, std::uint64_t usual_count) {
    const auto operation = operation_from(details.needed(details.text("operation"), "operation"));
    if (!operation) {
        details.wrong("operation",
                      "must be scan, read_blocks, set_block, set_mode, destroy_region, set_auto_online, "
                      "set_interleave_weight, set_interleave_auto, set_demotion or create_region");
    }
    fault.operation = operation.value_or(Operation::scan);
    fault.nth = details.number("nth").value_or(1);
    if (fault.nth == 0) details.wrong("nth", "counts from 1");
    fault.count = details.number("count").value_or(usual_count);
    if (const auto block = details.number("block")) fault.block = BlockIndex{*block};
    if (fault.block && fault.operation != Operation::set_block)
        details.wrong("block", "goes with set_block only");
    fault.dax = details.text("dax").value_or("");
    if (!fault.dax.empty() && fault.operation != Operation::set_block &&
        fault.operation != Operation::set_mode) {
        details.wrong("dax", "goes with set_block and set_mode only");
    }
    if (auto read = details.finish(); !read) return read;
    if (target.faults.add(std::move(fault))) return {};
    details.wrong("operation", fmt::format("would be one fault too many, {} are waiting", FaultList::most));
    return details.finish();
}

}  // namespace

Result<> fail_operation(InjectTarget target, Details& details) {
    Fault fault;
    fault.errnum = errnum(details);
    return add_fault(target, details, std::move(fault), 1);
}

Result<> hang(InjectTarget target, Details& details) {
    Fault fault;
    fault.kind = Fault::Kind::hang;
    fault.deaf = details.truth("deaf").value_or(false);
    return add_fault(target, details, std::move(fault), 1);
}

Result<> delay(InjectTarget target, Details& details) {
    Fault fault;
    fault.kind = Fault::Kind::delay;
    fault.usec = details.needed(details.number("usec"), "usec");
    if (fault.usec > 3'600'000'000U) details.wrong("usec", "must be an hour at most");
    return add_fault(target, details, std::move(fault), 0);
}

Result<> resume(InjectTarget target, Details& details) {
    if (auto read = details.finish(); !read) return read;
    target.hang.let_go();
    return {};
}

Result<> clear_faults(InjectTarget target, Details& details) {
    if (auto read = details.finish(); !read) return read;
    target.faults.clear();
    return {};
}

Result<> events(InjectTarget target, Details& details) {
    const std::uint64_t lose = details.number("lose").value_or(0);
    const std::uint64_t twice = details.number("double").value_or(0);
    if (auto read = details.finish(); !read) return read;
    target.queue.misbehave(lose, twice);
    return {};
}

}  // namespace cxlmemd::emulator::handlers
