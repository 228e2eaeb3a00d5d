#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark's sums, orders, plot and its newer daxctl; no machine is needed. In scripts/test by way of ctest."""

import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
import block_orders  # noqa: E402
import figures  # noqa: E402
import newer_daxctl  # noqa: E402
from contenders import CONTENDERS, NEWER, TRACED, with_newer  # noqa: E402


def result(contender, blocks, *seconds, what="online", kernel="6.12"):
    return {"kernel": kernel, "blocks": blocks, "contender": contender, "what": what, "seconds": list(seconds)}


class Growth(unittest.TestCase):
    def test_is_one_for_what_is_linear_and_two_for_what_is_quadratic(self):
        self.assertAlmostEqual(figures.growth([(64, 0.5), (256, 2.0), (1024, 8.0)]), 1.0)
        self.assertAlmostEqual(figures.growth([(64, 1.0), (256, 16.0), (1024, 256.0)]), 2.0)

    def test_is_the_middle_for_what_bends(self):
        self.assertTrue(1.0 < figures.growth([(64, 1.0), (256, 4.0), (1024, 64.0)]) < 2.0)

    def test_needs_two_sizes(self):
        self.assertIsNone(figures.growth([(64, 1.0), (64, 2.0)]))
        self.assertIsNone(figures.growth([(64, 1.0), (256, 0.0)]))


class Tables(unittest.TestCase):
    results = [result(figures.LIMIT, 64, 0.2, 0.1, 9.0), result(figures.LIMIT, 256, 0.8),
               result(figures.OURS, 64, 0.3), result(figures.OURS, 256, 0.84, 0.76),
               result(figures.LIMIT, 64, 1.0, kernel="7.3")]

    def test_have_medians_ratios_to_the_limit_and_growth(self):
        lines = figures.table(self.results, "6.12", "online").splitlines()
        self.assertEqual(lines[0], "| 6.12, online | 64 blocks | 256 blocks | growth |")
        self.assertEqual(lines[2], f"| {figures.LIMIT} | 0.200 (1.00×) | 0.800 (1.00×) | 1.00 |")
        self.assertEqual(lines[3], f"| {figures.OURS} | 0.300 (1.50×) | 0.800 (1.00×) | 0.71 |")
        self.assertEqual(len(lines), 4)

    def test_leave_a_dash_where_nothing_was_measured(self):
        lines = figures.table([*self.results, result(figures.DAXCTL, 64, 0.5)], "6.12", "online").splitlines()
        self.assertEqual(lines[4], f"| {figures.DAXCTL} | 0.500 (2.50×) | – | – |")


class Targets(unittest.TestCase):
    def found(self, results, shares):
        return {words: (reached, holds) for words, reached, holds in figures.targets(results, shares, "6.12")}

    def test_are_held_missed_or_not_measured(self):
        results = [result(figures.LIMIT, 64, 0.1), result(figures.OURS, 64, 0.1), result(figures.LIMIT, 256, 0.4),
                   result(figures.OURS, 256, 0.44), result(figures.DAXCTL, 256, 0.88),
                   result(figures.OURS, 256, 2.0, what="offline"), result(figures.DAXCTL, 256, 1.0, what="offline"),
                   result("shell", 256, 4.0, what="offline"), result(figures.LIMIT_AT_BIND, 256, 0.5)]
        found = self.found(results, {("6.12", 256): 0.02})
        self.assertEqual(found["online at 256 blocks, of daxctl's time at most 0.75"], (0.5, True))
        self.assertEqual(found["online at 256 blocks, of kernel auto-online's time at most 0.15"], (None, None))
        self.assertFalse(found["online at 256 blocks, of the limit at most 1.05"][1])
        self.assertEqual(found["online at 256 blocks, of the limit from the bind on at most 1.05"], (0.88, True))
        self.assertTrue(found["exponent of growth, online at most 1.1"][1])
        self.assertEqual(found["offline at 256 blocks, of the fastest other contender's time at most 1"], (2.0, False))
        self.assertEqual(found["the daemon's own share at 256 blocks at most 0.03"], (0.02, True))
        self.assertEqual([line.split()[0] for line in figures.target_lines(figures.targets(results, {}, "6.12"))],
                         ["holds", "not", "MISSED", "holds", "holds", "MISSED", "not"])

    def test_tell_the_ratio_to_a_newer_daxctl_without_one_of_its_own(self):
        results = [result(figures.OURS, 256, 1.0), result(figures.DAXCTL, 256, 2.0), result("daxctl 85", 256, 0.8),
                   result(figures.OURS, 256, 1.0, what="offline"), result(figures.DAXCTL, 256, 2.0, what="offline"),
                   result("daxctl 85", 256, 0.8, what="offline")]
        found = self.found(results, {})
        self.assertEqual(found["online at 256 blocks, of daxctl's time at most 0.75"], (0.5, True))
        self.assertEqual(found["online at 256 blocks, of daxctl 85's time"], (1.25, None))
        self.assertEqual(found["offline at 256 blocks, of the fastest other contender's time at most 1"], (1.25, False))
        self.assertIn("no target     online at 256 blocks, of daxctl 85's time: 1.250",
                      figures.target_lines(figures.targets(results, {}, "6.12")))
        self.assertIn("not measured  online at 256 blocks, of daxctl 85's time: –",
                      figures.target_lines(figures.targets(results[1:], {}, "6.12")))

    def test_of_a_kernel_that_was_not_measured_are_none(self):
        self.assertEqual(self.found([], {}), {})


class Plot(unittest.TestCase):
    def test_has_a_colour_for_each_contender_and_the_newer_daxctl(self):
        drawn = [name for name, _ in CONTENDERS.values() if name != TRACED] + [figures.NEWER_DAXCTL]
        self.assertGreaterEqual(len(set(figures.COLOURS)), len(drawn))

    def test_is_an_svg_with_a_line_a_contender_in_each_diagram_that_has_figures(self):
        results = [result("a & b", blocks, blocks / 100, kernel=kernel) for kernel in ("6.12", "7.3")
                   for blocks in (64, 256)] + [result("one", 64, 1.0)]
        root = ElementTree.fromstring(figures.plot(results, "online <and> offline"))
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(root.findall(f".//{space}polyline")), 2)
        self.assertEqual(len(root.findall(f".//{space}circle")), 5)
        words = [text.text for text in root.iter(f"{space}text")]
        self.assertIn("a & b", words)
        self.assertIn("kernel 7.3, online", words)
        self.assertNotIn("kernel 7.3, offline", words)
        inside = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{space}circle")]
        self.assertTrue(all(0 <= x <= figures.WIDTH and 0 <= y <= figures.HEIGHT for x, y in inside))


TRACE = """# tracer: nop
         cxlmemd-301     [001] .....    10.000000: sys_write(fd: 9, buf: 7f, count: e)
         cxlmemd-300     [000] .....    10.100000: sys_write(fd: 3, buf: 7f, count: 8)
         cxlmemd-300     [000] .....    10.150000: sys_write -> 0x8
         cxlmemd-301     [001] .....    10.250000: sys_write -> 0xe
         my-odd name-301 [001] .....    11.000000: sys_write(fd: 9, buf: 7f, count: e)
         my-odd name-301 [001] .....    11.500000: sys_write -> 0xe
         cxlmemd-301     [001] .....    12.000000: sys_write(fd: 9, buf: 7f, count: e)
"""


class Trace(unittest.TestCase):
    def test_gives_the_writes_of_the_thread_that_writes_most(self):
        seconds, writes = figures.writes_of_trace(TRACE)
        self.assertAlmostEqual(seconds, 0.75)
        self.assertEqual(writes, 2)
        self.assertEqual(figures.writes_of_trace("# tracer: nop\n"), (0.0, 0))


class Orders(unittest.TestCase):
    def test_take_each_block_once(self):
        for orders in (block_orders.ONLINE, block_orders.OFFLINE):
            for name, order in orders.items():
                for blocks in (1, 2, 3, 8, 9, 64):
                    with self.subTest(order=name, blocks=blocks):
                        self.assertEqual(sorted(block_orders.positions(order(blocks))), list(range(blocks)))

    def test_are_what_their_names_say(self):
        self.assertEqual(block_orders.positions(block_orders.second_first_then_down(5)), [1, 4, 3, 2, 0])
        self.assertEqual(block_orders.positions(block_orders.second_first_then_all_up(5)), [1, 0, 2, 3, 4])
        self.assertEqual(block_orders.positions(block_orders.inside_out(5)), [2, 1, 3, 0, 4])

    def test_are_told_to_the_loop_as_runs_of_blocks(self):
        self.assertEqual(block_orders.words([(1, 1), (3, 2), (0, 0)], [70, 71, 72, 73]), "71 73-72 70")


class NewerDaxctl(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = Path(folder.name)
        for patch in (mock.patch.dict(os.environ, CXLMEMD_VM_CACHE=str(self.cache)),
                      mock.patch.object(newer_daxctl.prepare, "mirror", lambda: sys.exit("no mirror"))):
            patch.start()
            self.addCleanup(patch.stop)

    def test_that_cannot_be_had_says_why(self):
        with self.assertRaisesRegex(newer_daxctl.NotToBeHad, "no mirror"):
            newer_daxctl.newer_daxctl()

    def test_that_is_in_the_cache_is_a_contender_named_by_its_version(self):
        key = newer_daxctl.prepare.recipe(newer_daxctl.build, newer_daxctl.SUITE)
        folder = self.cache / f"{newer_daxctl.PART}-{key}"
        folder.mkdir()
        (folder / "version").write_text("85\n")
        contenders = with_newer(newer_daxctl.newer_daxctl())
        self.assertEqual(contenders[NEWER][0], "daxctl 85")
        bench = mock.Mock()
        contenders[NEWER][1](bench)
        bench.daxctl.assert_called_once_with("/opt/newer-daxctl/ld-linux-x86-64.so.2 --library-path /opt/newer-daxctl "
                                             "/opt/newer-daxctl/daxctl")


if __name__ == "__main__":
    unittest.main()
