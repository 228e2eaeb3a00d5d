# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coordinates of cards become those of their regions and nodes with the first block (R3)."""

from harness import path_of, rule

SPEED = ("ReadLatency", "WriteLatency", "ReadBandwidth", "WriteBandwidth")


def of(properties):
    return tuple(properties[key] for key in SPEED)


def test_R3_cards_of_unlike_speed_give_their_region_its_coordinates(make_daemon):
    daemon = make_daemon(machine="eight-card-pool", policy=rule(memory='zone = "movable"\namount = "none"'))
    region = path_of("region", "region0")
    assert of(daemon.properties(region, "Region")) == of(daemon.node(2)) == (0, 0, 0, 0)
    daemon.inject("online-block", dax="dax0.0", zone="movable")
    daemon.wait(lambda: of(daemon.node(2)) == (310, 330, 204800, 176128), "the worst of eight, and the sum")
    daemon.wait(lambda: of(daemon.properties(region, "Region")) == (310, 330, 204800, 176128), "the region's, too")
    assert daemon.node(2)["Tier"] > daemon.node(0)["Tier"] == 4


def test_R3_a_rule_by_latency_finds_the_region_of_slow_cards(make_daemon):
    slow = rule("slow", match='read_latency = "> 400ns"', memory='zone = "movable"')
    daemon = make_daemon(machine="two-cards-7-3", policy=slow + rule("rest", memory='amount = "none"'))
    daemon.inject("set-auto-online", value="online_movable")
    for serial, latency in ((0x11, 350), (0x12, 450)):
        daemon.inject("add-memdev", serial=serial, read_latency=latency, write_latency=latency, read_bandwidth=9000,
                      write_bandwidth=9000)
    daemon.inject("add-region", memdevs="0x11,0x12")
    device = daemon.wait_dax("dax2.0", Rule="slow", InPolicy=True)
    assert device["State"] == "online" and of(daemon.node(3)) == (450, 450, 18000, 18000)
