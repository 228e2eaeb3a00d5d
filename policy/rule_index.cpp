#include "policy/rule_index.h"

#include <algorithm>
#include <optional>

namespace cxlmemd {

namespace {

// A machine whose devices all differ in size must not make the memory grow without bound.
constexpr std::size_t max_remembered = 256;

// Narrows `set` by one key. What the kernel does not give is held only where nothing was written.
template <class Index, class Fact>
void narrow(RuleSet& set, Index& index, const std::optional<Fact>& fact) {
    if (!index.used()) return;
    if (fact) {
        set &= index.holding(*fact);
    } else {
        set &= index.unwritten();
    }
}

// The same for a key that every one of several facts must hold.
template <class Index, class Facts>
void narrow_by_all(RuleSet& set, Index& index, const Facts& facts) {
    if (!index.used()) return;
    if (facts.empty()) set &= index.unwritten();
    for (const auto& fact : facts) set &= index.holding(fact);
}

std::vector<int> numbers(const std::vector<DaxKind>& kinds) {
    std::vector<int> out;
    out.reserve(kinds.size());
    for (const DaxKind kind : kinds) out.push_back(static_cast<int>(kind));
    return out;
}

}  // namespace

void CompareIndex::add(std::size_t rule, const std::vector<Compare>& entries) {
    if (entries.empty()) unwritten_.add(rule);
    for (const Compare& entry : entries) written_.emplace_back(entry, rule);
}

const RuleSet& CompareIndex::holding(std::uint64_t fact) {
    const auto it = remembered_.find(fact);
    if (it != remembered_.end()) return it->second;
    if (remembered_.size() >= max_remembered) remembered_.clear();
    RuleSet set = unwritten_;
    work_ += written_.size();
    for (const auto& [compare, rule] : written_) {
        if (fits(compare, fact)) set.add(rule);
    }
    return remembered_.emplace(fact, std::move(set)).first->second;
}

void RangeIndex::add(std::size_t rule, const std::vector<std::pair<PhysAddr, PhysAddr>>& entries) {
    if (entries.empty()) unwritten_.add(rule);
    for (const auto& entry : entries) written_.push_back({entry, rule, {}});
}

void RangeIndex::finish() {
    std::ranges::sort(written_, {}, &Written::inclusive);
    PhysAddr last;
    for (Written& written : written_) {
        last = std::max(last, written.inclusive.second);
        written.last_so_far = last;
    }
}

RuleSet RangeIndex::holding(const PhysRange& range) {
    RuleSet set = unwritten_;
    // From the last that begins early enough back to where none reaches far enough any more.
    auto it = std::ranges::upper_bound(written_, range.start, {},
                                       [](const Written& written) { return written.inclusive.first; });
    while (it != written_.begin()) {
        --it;
        ++work_;
        if (it->last_so_far.value() < range.end().value() - 1) break;
        if (lies_in(range, it->inclusive)) set.add(it->rule);
    }
    return set;
}

RuleIndex::RuleIndex(const Policy& policy)
    : policy_(policy),
      kind_(policy.rules.size()),
      memdev_serial_(policy.rules.size()),
      target_node_(policy.rules.size()),
      qos_class_(policy.rules.size()),
      memdev_host_(policy.rules.size()),
      region_(policy.rules.size()),
      root_decoder_(policy.rules.size()),
      dax_(policy.rules.size()),
      size_(policy.rules.size()),
      interleave_ways_(policy.rules.size()),
      read_latency_(policy.rules.size()),
      write_latency_(policy.rules.size()),
      read_bandwidth_(policy.rules.size()),
      write_bandwidth_(policy.rules.size()),
      phys_range_(policy.rules.size()) {
    for (std::size_t rule = 0; rule < policy.rules.size(); ++rule) {
        const Match& match = policy.rules[rule].match;
        kind_.add(rule, numbers(match.kind));
        memdev_serial_.add(rule, match.memdev_serial);
        target_node_.add(rule, match.target_node);
        qos_class_.add(rule, match.qos_class);
        memdev_host_.add(rule, match.memdev_host);
        region_.add(rule, match.region);
        root_decoder_.add(rule, match.root_decoder);
        dax_.add(rule, match.dax);
        size_.add(rule, match.size);
        interleave_ways_.add(rule, match.interleave_ways);
        read_latency_.add(rule, match.read_latency);
        write_latency_.add(rule, match.write_latency);
        read_bandwidth_.add(rule, match.read_bandwidth);
        write_bandwidth_.add(rule, match.write_bandwidth);
        phys_range_.add(rule, match.phys_range);
    }
    for (GlobIndex* globs : {&memdev_host_, &region_, &root_decoder_, &dax_}) globs->finish();
    phys_range_.finish();
}

const RuleSet& RuleIndex::on_this_machine(const HostFacts& host) {
    if (here_ && here_->first == host) return here_->second;
    RuleSet set{policy_.rules.size()};
    for (std::size_t rule = 0; rule < policy_.rules.size(); ++rule) {
        if (!first_failing_of_host(host, policy_.rules[rule].match)) set.add(rule);
    }
    return here_.emplace(host, std::move(set)).second;
}

RuleSet RuleIndex::candidates(const Facts& facts) {
    const DaxDevice& device = *facts.device;
    RuleSet set = on_this_machine(*facts.machine);
    narrow(set, kind_, std::optional{static_cast<int>(device.kind)});
    narrow_by_all(set, memdev_serial_, facts.serials);
    narrow_by_all(set, memdev_host_, facts.hosts);
    narrow(set, region_, facts.region);
    narrow(set, root_decoder_, facts.root_decoder);
    narrow(set, dax_, std::optional<std::string_view>{device.id.name});
    narrow(set, target_node_, std::optional{device.target_node});
    narrow(set, size_, std::optional{device.size.value()});
    narrow(set, interleave_ways_, facts.interleave_ways);
    narrow(set, qos_class_, facts.qos_class);
    narrow(set, read_latency_, facts.read_latency);
    narrow(set, write_latency_, facts.write_latency);
    narrow(set, read_bandwidth_, facts.read_bandwidth);
    narrow(set, write_bandwidth_, facts.write_bandwidth);
    narrow_by_all(set, phys_range_, device.ranges);
    return set;
}

const Rule* RuleIndex::find(const Facts& facts) {
    const RuleSet set = candidates(facts);
    const std::vector<Rule>& rules = policy_.rules;
    for (std::size_t rule = set.next(0); rule < rules.size(); rule = set.next(rule + 1)) {
        ++work_;
        if (!first_failing(facts, rules[rule].match)) return &rules[rule];
    }
    return nullptr;
}

std::size_t RuleIndex::work() const {
    std::size_t out = work_ + phys_range_.work();
    for (const GlobIndex* globs : {&memdev_host_, &region_, &root_decoder_, &dax_}) out += globs->work();
    for (const CompareIndex* compares :
         {&size_, &interleave_ways_, &read_latency_, &write_latency_, &read_bandwidth_, &write_bandwidth_}) {
        out += compares->work();
    }
    return out;
}

}  // namespace cxlmemd
