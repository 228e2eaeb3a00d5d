# SPDX-License-Identifier: LGPL-2.1-or-later
"""traces.py finds what it is there to find. Run by ctest (python3 -m unittest)."""

import unittest

import traces

KERNEL = "> other binds A\n  EBUSY\n> other binds A\n  ok\n  + bind daxA\n"
EMULATOR = "> other binds A\n  EBUSY\n> other binds A\n  ok\n"
ENTRY = {"scenario": "s", "kernels": ["7.3"], "step": "other binds A", "nth": 2, "kernel": ["ok", "+ bind daxA"],
         "emulator": ["ok"], "why": "an event that the emulator does not send, for a reason"}


class Compare(unittest.TestCase):
    def compare(self, emulator=EMULATOR, table=(), kernel="7.3"):
        return traces.compare(kernel, "s", KERNEL, emulator, list(table))

    def test_the_same_is_no_difference(self):
        self.assertEqual(self.compare(KERNEL), [])

    def test_a_difference_is_shown_with_both(self):
        wrong = "\n".join(self.compare())
        self.assertIn("> other binds A (number 2 of its kind)", wrong)
        self.assertIn("+ bind daxA", wrong)

    def test_a_difference_in_the_table_is_allowed_for_its_kernel_only(self):
        self.assertEqual(self.compare(table=[ENTRY]), [])
        self.assertTrue(self.compare(table=[ENTRY | {"kernels": ["6.12"]}]))
        self.assertTrue(self.compare(table=[ENTRY | {"scenario": "another"}]))

    def test_an_entry_that_says_something_else_is_wrong(self):
        self.assertTrue(self.compare(table=[ENTRY | {"emulator": ["EINVAL"]}]))
        self.assertTrue(self.compare(table=[ENTRY | {"kernel": ["ok"]}]))

    def test_an_entry_that_is_not_needed_any_more_is_wrong(self):
        self.assertTrue(self.compare(KERNEL, table=[ENTRY]))
        self.assertTrue(self.compare(KERNEL, table=[ENTRY | {"nth": 3}]))
        self.assertTrue(self.compare(KERNEL, table=[ENTRY | {"step": "other unbinds A"}]))

    def test_other_steps_are_wrong(self):
        self.assertTrue(self.compare(KERNEL + "> show dax A\n"))
        self.assertTrue(self.compare(""))


class Order(unittest.TestCase):
    def test_what_keeps_its_memory_comes_last_and_after_what_it_builds_on(self):
        names = traces.in_order()
        self.assertEqual(names[0], "coordinates")
        self.assertEqual(names[-3:], ["kernel-zone", "kernel-zone-auto", "lost"])
        self.assertEqual(sorted(names), sorted(path.stem for path in traces.scenario_files()))


if __name__ == "__main__":
    unittest.main()
