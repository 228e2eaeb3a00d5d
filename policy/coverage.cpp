#include "policy/coverage.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "policy/glob.h"
#include "policy/interval.h"

namespace cxlmemd {

namespace {

constexpr std::size_t max_work = 20'000'000;

struct ComparedKey {
    std::vector<Compare> Match::*list;
    Quantity quantity;
};
constexpr std::array compared_keys{ComparedKey{&Match::size, Quantity::size},
                                   ComparedKey{&Match::interleave_ways, Quantity::ways},
                                   ComparedKey{&Match::read_latency, Quantity::latency},
                                   ComparedKey{&Match::write_latency, Quantity::latency},
                                   ComparedKey{&Match::read_bandwidth, Quantity::bandwidth},
                                   ComparedKey{&Match::write_bandwidth, Quantity::bandwidth}};
constexpr std::array glob_keys{&Match::host,   &Match::firmware_vendor, &Match::product, &Match::memdev_host,
                               &Match::region, &Match::root_decoder,    &Match::dax};

struct Pattern {
    std::string text;
    bool literal;      // stands for itself only
    bool prefix_star;  // a literal, then one '*'

    explicit Pattern(const std::string& pattern)
        : text(pattern),
          literal(is_literal(pattern)),
          prefix_star(pattern.ends_with('*') && is_literal({pattern.data(), pattern.size() - 1})) {}

    [[nodiscard]] std::string_view prefix() const { return {text.data(), text.size() - 1}; }
};

// A match in a form that compares quickly. An empty list is an unwritten key, as in Match.
struct Sets {
    std::vector<DaxKind> kind;
    std::vector<std::uint64_t> serials;
    std::vector<NodeId> nodes;
    std::vector<int> qos;
    std::vector<std::string> virtualization;
    std::vector<std::string> kernel_version;
    bool backed_by_cxl = false;
    std::array<std::vector<Pattern>, glob_keys.size()> globs;
    std::array<std::vector<Interval>, compared_keys.size()> intervals;
    std::vector<std::pair<PhysAddr, PhysAddr>> ranges;
    bool never = false;  // a comparison that cannot hold; compile() lets none through

    explicit Sets(const Match& match)
        : kind(match.kind),
          serials(match.memdev_serial),
          nodes(match.target_node),
          qos(match.qos_class),
          virtualization(match.virtualization),
          kernel_version(match.kernel_version),
          backed_by_cxl(match.backed_by_cxl),
          ranges(match.phys_range) {
        const auto tidy = [](auto& list) {
            std::ranges::sort(list);
            list.erase(std::unique(list.begin(), list.end()), list.end());
        };
        tidy(kind);
        tidy(serials);
        tidy(nodes);
        tidy(qos);
        tidy(virtualization);
        tidy(kernel_version);
        for (std::size_t k = 0; k < glob_keys.size(); ++k) {
            for (const Glob& glob : match.*glob_keys[k]) globs[k].emplace_back(glob.pattern);
        }
        for (std::size_t k = 0; k < compared_keys.size(); ++k) {
            for (const Compare& compare : match.*compared_keys[k].list) {
                if (const auto i = interval_of(compare, compared_keys[k].quantity))
                    intervals[k].push_back(*i);
            }
            never = never || (intervals[k].empty() && !(match.*compared_keys[k].list).empty());
            intervals[k] = merged(std::move(intervals[k]));
        }
        forget_what_always_holds();
    }

 private:
    // Every device has a kind, a name and a size; the other facts may be unknown, and then even "*"
    // does not hold.
    void forget_what_always_holds() {
        if (kind.size() == 4) kind.clear();
        auto& dax = globs.back();
        if (std::ranges::find(dax, "*", &Pattern::text) != dax.end()) dax.clear();
        auto& size = intervals.front();
        if (covers(size, possible(Quantity::size))) size.clear();
    }
};

class Comparer final {
 public:
    [[nodiscard]] bool exhausted() const { return work_ > max_work; }

    bool covers_all(const Sets& earlier, const Sets& later) {
        ++work_;
        if (earlier.never || later.never) return false;
        if (earlier.backed_by_cxl && !later.backed_by_cxl) return false;
        return subset(earlier.virtualization, later.virtualization) &&
               subset(earlier.kernel_version, later.kernel_version) && subset(earlier.kind, later.kind) &&
               subset(earlier.serials, later.serials) && subset(earlier.nodes, later.nodes) &&
               subset(earlier.qos, later.qos) && globs_cover(earlier, later) &&
               intervals_cover(earlier, later) &&
               each_in_some(earlier.ranges, later.ranges, [](const auto& outer, const auto& inner) {
                   return outer.first <= inner.first && inner.second <= outer.second;
               });
    }

 private:
    // A key that the earlier rule has not written holds for all; one that only the earlier rule has
    // written may fail.
    template <class T>
    bool subset(const std::vector<T>& earlier, const std::vector<T>& later) {
        if (earlier.empty()) return true;
        if (later.empty() || later.size() > earlier.size()) return false;
        work_ += earlier.size() + later.size();
        return std::ranges::includes(earlier, later);
    }

    template <class T, class Fits>
    bool each_in_some(const std::vector<T>& earlier, const std::vector<T>& later, Fits fits) {
        if (earlier.empty()) return true;
        if (later.empty()) return false;
        return std::ranges::all_of(later, [&](const T& inner) {
            return std::ranges::any_of(earlier, [&](const T& outer) {
                ++work_;
                return !exhausted() && fits(outer, inner);
            });
        });
    }

    bool globs_cover(const Sets& earlier, const Sets& later) {
        for (std::size_t k = 0; k < glob_keys.size(); ++k) {
            const auto fits = [this](const Pattern& outer, const Pattern& inner) {
                return glob_covers(outer, inner);
            };
            if (!each_in_some(earlier.globs[k], later.globs[k], fits)) return false;
        }
        return true;
    }

    bool glob_covers(const Pattern& outer, const Pattern& inner) {
        // "dax0.*" covers "dax0.1?" too: whatever the inner one stands for begins with its literal part.
        if (outer.prefix_star) return inner.text.starts_with(outer.prefix());
        if (outer.text == inner.text) return true;
        if (outer.literal || !inner.literal) return false;
        work_ += outer.text.size() * inner.text.size() / 16;
        return glob_fits(outer.text, inner.text);
    }

    bool intervals_cover(const Sets& earlier, const Sets& later) {
        for (std::size_t k = 0; k < compared_keys.size(); ++k) {
            const auto& outer = earlier.intervals[k];
            const auto& inner = later.intervals[k];
            if (outer.empty()) continue;
            if (inner.empty()) return false;
            work_ += inner.size();
            if (!std::ranges::all_of(inner, [&](const Interval& i) { return covers(outer, i); }))
                return false;
        }
        return true;
    }

    std::size_t work_ = 0;
};

}  // namespace

bool covers(const Match& earlier, const Match& later) {
    return Comparer{}.covers_all(Sets{earlier}, Sets{later});
}

std::vector<std::optional<std::size_t>> covered_by(const std::vector<std::optional<Match>>& matches) {
    std::vector<std::optional<Sets>> sets;
    sets.reserve(matches.size());
    for (const auto& match : matches) {
        sets.push_back(match ? std::optional<Sets>{std::in_place, *match} : std::nullopt);
    }
    std::vector<std::optional<std::size_t>> out(matches.size());
    Comparer comparer;
    for (std::size_t later = 0; later < sets.size() && !comparer.exhausted(); ++later) {
        for (std::size_t earlier = 0; sets[later] && earlier < later && !out[later]; ++earlier) {
            if (sets[earlier] && comparer.covers_all(*sets[earlier], *sets[later])) out[later] = earlier;
        }
    }
    return out;
}

}  // namespace cxlmemd
