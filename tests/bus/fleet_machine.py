# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine of the largest size that the project promises to be quick on: 16 TiB in 131,072 memory blocks, 64 cards
with a region each, 1,000 dax devices."""

BLOCK = 128 << 20
CARDS, DAXES, BLOCKS = 64, 1000, 131072


def devices_of(card):
    """15 or 16, 1,000 in all."""
    return DAXES * (card + 1) // CARDS - DAXES * card // CARDS


def text():
    per_card = BLOCKS // CARDS
    out = ['block_size = "128MiB"', "[features]", "access_coordinates = true", "[[node]]", "id = 0", "cpus = true",
           'memory = "1TiB"', "[[root_decoder]]", 'name = "decoder0.0"', 'start = "4TiB"', 'size = "32TiB"']
    for card in range(CARDS):
        out += ["[[memdev]]", f'name = "mem{card}"', f"serial = {0x1000 + card}",
                f'host = "0000:{card + 16:02x}:00.0"', f"ram_size = {per_card * BLOCK}"]
    regions, devices = [], []
    start = 4 << 40
    for card in range(CARDS):
        count = devices_of(card)
        regions += ["[[region]]", f'name = "region{card}"', f'memdevs = ["mem{card}"]', 'root_decoder = "decoder0.0"',
                    f"start = {start}", f"size = {per_card * BLOCK}"]
        for number in range(count):
            begin, end = per_card * number // count, per_card * (number + 1) // count
            devices += ["[[dax]]", f'name = "dax{card}.{number}"', f'region = "region{card}"',
                        f"target_node = {card + 1}",
                        f"ranges = [{{ start = {start + begin * BLOCK}, size = {(end - begin) * BLOCK} }}]"]
        start += per_card * BLOCK
    return "\n".join(out + regions + devices) + "\n"


if __name__ == "__main__":
    print(text(), end="")
