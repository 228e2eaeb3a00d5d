# SPDX-License-Identifier: LGPL-2.1-or-later
"""Orders in which to go through the blocks of a device. Pure: positions within the device, 0 the lowest.

An order is a list of runs (first, last), downwards where first is above last, for n blocks.
"""


def up(n):
    return [(0, n - 1)]


def down(n):
    return [(n - 1, 0)]


def inside_out(n):
    """From the middle to both ends, in turn."""
    middle = n // 2
    runs = [(middle, middle)]
    for distance in range(1, n):
        runs += [(at, at) for at in (middle - distance, middle + distance) if 0 <= at < n]
    return runs


def upper_half_first(n):
    """The upper half upwards, then the lower half downwards."""
    return [(n // 2, n - 1)] + ([(n // 2 - 1, 0)] if n > 1 else [])


def lowest_first_then_down(n):
    return [(0, 0)] + ([(n - 1, 1)] if n > 1 else [])


def second_first_then_down(n):
    """A hole above the lowest block, then the rest downwards, the lowest block last: what cxlmemd does to go offline."""
    return hole_then_down(n, 1)


def second_first_then_up(n):
    """The same hole, the rest upwards, the lowest block last."""
    return [(1, n - 1), (0, 0)] if n > 1 else [(0, 0)]


def second_first_then_all_up(n):
    """The same hole, then upwards from the lowest block: the hole is at once no hole but the zone's end."""
    return [(1, 1), (0, 0)] + ([(2, n - 1)] if n > 2 else []) if n > 1 else [(0, 0)]


def ninth_first_then_down(n):
    return hole_then_down(n, 8)


def hole_then_down(n, hole):
    """Block `hole` first, then all others downwards."""
    hole = min(hole, n - 1)
    runs = [(hole, hole)]
    if hole < n - 1:
        runs.append((n - 1, hole + 1))
    if hole > 0:
        runs.append((hole - 1, 0))
    return runs


ONLINE = {"down": down, "up": up, "lowest first, then down": lowest_first_then_down,
          "second first, then down": second_first_then_down, "inside out": inside_out,
          "upper half up, lower half down": upper_half_first}

OFFLINE = {"second first, then down": second_first_then_down, "second first, then up, lowest last": second_first_then_up,
           "ninth first, then down": ninth_first_then_down, "lowest first, then down": lowest_first_then_down,
           "second first, then all up": second_first_then_all_up, "upper half up, lower half down": upper_half_first,
           "inside out": inside_out, "down": down, "up": up}


def positions(runs):
    """All positions of an order, one after the other."""
    return [at for first, last in runs for at in (range(first, last + 1) if first <= last else range(first, last - 1, -1))]


def words(runs, blocks):
    """The runs as block_loop takes them; `blocks` are the device's, ascending and without a gap."""
    return " ".join(str(blocks[first]) if first == last else f"{blocks[first]}-{blocks[last]}" for first, last in runs)
