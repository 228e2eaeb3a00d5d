// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, LeaveOutWhatIsNotKnown) {
    const Object node =
        make_object(path_of(Kind::node, "node1"), Kind::node,
                    {{"Tier", -1}, {"ReadLatency", 0}, {"WriteLatency", 300}, {"InterleaveWeight", 0}});
    const Object window =
        make_object(path_of(Kind::decoder, "decoder0.0"), Kind::decoder, {{"Size", 0}, {"Free", 0}});
    const std::string text = metrics_text(metrics_of({{"MovableRatio", 0.0}}, {node, window}));
    EXPECT_THAT(text, HasSubstr("cxlmemd_node_write_latency_seconds{node=\"node1\"} 3e-07\n"));
    for (const char* absent :
         {"tier", "read_latency", "weight", "window", "movable_ratio", "node_memory", "conflicts"}) {
        EXPECT_THAT(text, Not(HasSubstr(absent))) << absent;
    }
}

TEST(Metrics, BearPropertiesThatAreMissingOrOfAnotherType) {
    Objects odd;
    for (const Kind kind : all_kinds) {
        odd.push_back(
            make_object(path_of(kind, "x"), kind, {{"Size", "many"}, {"LastError", 7}, {"TargetNode", "1"}}));
        odd.push_back(make_object(path_of(kind, "y"), kind, json()));
    }
    EXPECT_THAT(metrics_text(metrics_of(json::object(), odd)), HasSubstr("cxlmemd_up 1"));
}

TEST(Metrics, QuoteLabels) {
    EXPECT_EQ(metrics_text({{"m", "Help", {{{{"a", "x\"\\\n\x1b"}}, 1.5}}}}),
              "# TYPE m gauge\n# HELP m Help\nm{a=\"x\\\"\\\\\\\\n\\\\x1b\"} 1.5\n# EOF\n");
}

TEST(Metrics, SayThatNobodyIsThere) {
    EXPECT_THAT(metrics_text(metrics_of_nobody()), HasSubstr("\ncxlmemd_up 0"));
}

}  // namespace
}  // namespace cxlmemctl
