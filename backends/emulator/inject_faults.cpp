// SPDX-License-Identifier: LGPL-2.1-or-later
// Backend operations that fail, hang or take time.
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "backends/emulator/inject_handlers.h"
#include "backends/emulator/values.h"

namespace cxlmemd::emulator::handlers {

namespace {

constexpr int highest_errno = 4095;  // MAX_ERRNO of the kernel

Act add_fault(Details& details, Fault fault, std::uint64_t usual_count) {
    const auto word = details.text("operation");
    const auto operation = operation_from(details.needed(word, "operation"));
    if (word && !operation) details.wrong("operation", "must be " + operation_names());
    fault.which.operation = operation.value_or(Operation::scan);
    if (const auto block = details.number("block")) fault.which.block = BlockIndex{*block};
    fault.which.dax = details.text("dax").value_or("");
    if (operation) check_filter(details, fault.which, "");
    fault.when = read_strikes(details, usual_count);
    return [fault = std::move(fault), event = details.event()](InjectTarget& target) -> Result<> {
        if (target.faults.add(fault)) return {};
        return fail(detail_error(
            event, "operation", fmt::format("would be one fault too many, {} are waiting", FaultList::most)));
    };
}

}  // namespace

int errno_of(Details& details) {
    const std::string text = details.needed(details.word("errno"), "errno");
    if (const auto number = parse_number(text); number && *number >= 1 && *number <= highest_errno) {
        return static_cast<int>(*number);
    }
    for (int i = 1; i < 256; ++i) {
        if (const char* name = ::strerrorname_np(i); name != nullptr && text == name) return i;
    }
    if (!text.empty()) details.wrong("errno", "must be an errno, by name or number");
    return 0;
}

void check_filter(Details& details, const CallFilter& filter, const std::string& prefix) {
    using enum Operation;
    const Operation op = filter.operation;
    const bool of_block = op == set_block || op == online || op == offline;
    const bool of_dax = of_block || op == set_mode || op == bind || op == unbind;
    if (filter.block && !of_block) {
        details.wrong(prefix + "block", "goes with set_block, online and offline only");
    }
    if (!filter.dax.empty() && !of_dax) {
        details.wrong(prefix + "dax", "goes with set_block, online, offline, set_mode, bind and unbind only");
    }
}

Strikes read_strikes(Details& details, std::uint64_t usual_count) {
    Strikes out;
    const auto probability = details.probability("probability");
    out.probability = probability.value_or(1.0);
    out.nth = details.number("nth").value_or(1);
    if (out.nth == 0) details.wrong("nth", "counts from 1");
    // With a probability, "the next call" is seldom what is meant.
    out.count = details.number("count").value_or(probability ? 0 : usual_count);
    return out;
}

Act fail_operation(Details& details) {
    Fault fault;
    fault.errnum = errno_of(details);
    return add_fault(details, std::move(fault), 1);
}

Act hang(Details& details) {
    Fault fault;
    fault.kind = Fault::Kind::hang;
    fault.deaf = details.truth("deaf").value_or(false);
    return add_fault(details, std::move(fault), 1);
}

Act delay(Details& details) {
    Fault fault;
    fault.kind = Fault::Kind::delay;
    fault.usec = details.needed(details.duration("usec"), "usec");
    return add_fault(details, std::move(fault), 0);
}

Act resume(Details&) {
    return [](InjectTarget& target) -> Result<> {
        target.hang.let_go();
        return {};
    };
}

Act clear_faults(Details&) {
    return [](InjectTarget& target) -> Result<> {
        target.faults.clear();
        target.path.clear();
        return {};
    };
}

Act seed(Details& details) {
    const std::uint64_t value = details.needed(details.number("value"), "value");
    return [value](InjectTarget& target) -> Result<> {
        target.faults.seed(value);
        target.path.seed(value);
        return {};
    };
}

}  // namespace cxlmemd::emulator::handlers
