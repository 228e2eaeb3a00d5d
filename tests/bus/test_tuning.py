# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interleave weights and demotion: what [[node]] and daemon.toml ask of the kernel."""

from harness import MOVABLE, QUICK_RETRY


def node_table(weight, match='kind = "cxl-ram"'):
    return f"[[node]]\nmatch = {{ {match} }}\ninterleave_weight = {weight}\n"


def weight(daemon, number):
    node = daemon.node(number)
    return node and node["InterleaveWeight"]


def conflicts(daemon):
    return [message for kind, message in daemon.manager["Conflicts"] if kind == "tuning"]


def wait_weight(daemon, number, wanted):
    daemon.wait(lambda: weight(daemon, number) == wanted, f"node {number} has the weight {wanted}")


def test_a_node_gets_its_weight_once_its_memory_is_online(make_daemon):
    daemon = make_daemon(policy=node_table(7) + MOVABLE)
    wait_weight(daemon, 1, 7)
    wait_weight(daemon, 2, 7)
    assert weight(daemon, 0) == 1
    assert daemon.log().count("interleave weight of node 1: 7") == 1
    assert conflicts(daemon) == []


def test_the_first_table_that_matches_decides(make_daemon):
    daemon = make_daemon(policy=node_table('"leave"', "id = [1]") + node_table(9) + MOVABLE)
    wait_weight(daemon, 2, 9)
    daemon.look_again()
    assert weight(daemon, 1) == 1


def test_nothing_is_written_while_the_daemon_only_watches(make_daemon):
    daemon = make_daemon(policy=node_table(7, "id = [0]"), settings='demotion = "on"\n', arguments=["--observe"])
    daemon.look_again(2)
    assert weight(daemon, 0) == 1
    assert "weight" not in daemon.log() and "demotion: on" not in daemon.log()


def test_what_somebody_else_changes_is_put_right_once_and_then_said(make_daemon):
    daemon = make_daemon(policy=node_table(7, "id = [0]"))
    wait_weight(daemon, 0, 7)
    daemon.look_again()
    daemon.inject("set-interleave-weight", node=0, weight=3)
    daemon.nudge()
    daemon.insist(daemon.round_trip, lambda: "put right again" in daemon.log(), "it is put right")
    daemon.look_again()
    wait_weight(daemon, 0, 7)
    daemon.inject("set-interleave-weight", node=0, weight=3)
    daemon.nudge()
    daemon.wait(lambda: any("stops fighting" in message for message in conflicts(daemon)), "it is said")
    daemon.look_again(2)
    assert weight(daemon, 0) == 3
    assert daemon.log().count("stops fighting") == 1
    daemon.reload()
    wait_weight(daemon, 0, 7)
    daemon.wait(lambda: conflicts(daemon) == [], "nothing is wrong any more")


def test_a_write_that_fails_is_tried_again_and_no_loop(make_daemon):
    daemon = make_daemon(policy="", settings=QUICK_RETRY)
    daemon.inject("fail", operation="set_interleave_weight", errno="EIO", count=0)
    daemon.policy_file.write_text(node_table(7, "id = [0]"))
    daemon.reload()
    daemon.wait(lambda: any("EIO" in message for message in conflicts(daemon)), "it is said")
    daemon.look_again(3)
    assert daemon.log().count("EIO") == 1  # a transition, not a state
    daemon.inject("clear-faults")
    daemon.reload()
    wait_weight(daemon, 0, 7)


def test_auto_without_bandwidths_leaves_the_weight_and_says_why(make_daemon):
    daemon = make_daemon(policy=node_table('"auto"', "id = [0]"))
    daemon.wait(lambda: any("bandwidth" in message for message in conflicts(daemon)), "it is said")
    daemon.look_again(2)
    assert daemon.log().count("needs the bandwidth") == 1
    assert weight(daemon, 0) == 1


def test_demotion_is_set_as_the_settings_say_and_put_right_once(make_daemon):
    daemon = make_daemon(policy="", settings='demotion = "on"\n')
    daemon.insist(daemon.round_trip, lambda: "demotion: on" in daemon.log(), "it is on")
    daemon.look_again()
    daemon.inject("set-demotion", enabled=False)
    daemon.nudge()
    daemon.insist(daemon.round_trip, lambda: "demotion: changed by somebody else" in daemon.log(), "put right")
    daemon.look_again()
    daemon.inject("set-demotion", enabled=False)
    daemon.nudge()
    daemon.wait(lambda: any("stops fighting" in message for message in conflicts(daemon)), "it is said")


def test_a_kernel_without_these_files_is_said_once_and_no_error(make_daemon, machine_file):
    old_kernel = machine_file('block_size = "128MiB"\n[[node]]\nid = 0\ncpus = true\nmemory = "16GiB"\n')
    daemon = make_daemon(machine=old_kernel, policy=node_table(7, "id = [0]"), settings='demotion = "off"\n')
    daemon.wait(lambda: len(conflicts(daemon)) == 2, "both are said")
    daemon.look_again(2)
    assert daemon.log().count("no weighted interleave") == 1
    assert daemon.log().count("demotion is not set") == 1
