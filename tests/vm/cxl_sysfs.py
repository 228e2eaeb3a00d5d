# SPDX-License-Identifier: LGPL-2.1-or-later
"""CXL, dax and memory blocks by hand, from /sys alone: what the tests compare cxlmemd with.

Runs in the guest, within agent.py; guest.py calls these functions by name. Arguments and results are plain values.
"""

import glob
import os
import time

CXL = "/sys/bus/cxl/devices"
DAX = "/sys/bus/dax"
MEMORY = "/sys/devices/system/memory"


def read(*path):
    with open("/".join(path)) as file:
        return file.read().strip()


def read_or(default, *path):
    try:
        return read(*path)
    except OSError:
        return default


def write(value, *path):
    """One write(2). A refusal names the file and the value."""
    name = "/".join(path)
    fd = os.open(name, os.O_WRONLY)
    try:
        os.write(fd, str(value).encode())
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno)}: writing {value!r} to {name}") from None
    finally:
        os.close(fd)


def link(*path):
    """The last part of where a link points, or None."""
    try:
        return os.path.basename(os.readlink("/".join(path)))
    except OSError:
        return None


def wait_for(what, condition, seconds):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.01)
    return value


def by_number(paths):
    return sorted(paths, key=lambda path: [int(n) for n in "".join(c if c.isdigit() else " " for c in path).split()])


# ---- memdevs

def memdevs():
    """Serial → memdev name."""
    return {int(read(path, "serial"), 0): os.path.basename(path) for path in glob.glob(f"{CXL}/mem[0-9]*")}


def memdev_by_serial(serial, timeout):
    return wait_for(f"a memdev with serial {serial:#x}", lambda: memdevs().get(serial), timeout)


def endpoint_of(memdev):
    """The memdev's port. It appears a little later than the memdev."""
    return next((path for path in glob.glob(f"{CXL}/endpoint[0-9]*") if link(path, "uport") == memdev), None)


def wait_ready(serials, timeout):
    """Waits until each card has its memdev and its endpoint port."""
    for serial in serials:
        memdev = memdev_by_serial(serial, timeout)
        wait_for(f"the endpoint port of {memdev}", lambda: endpoint_of(memdev), timeout)


# ---- regions

def free_decoder(memdev):
    """The first endpoint decoder of a memdev that holds no capacity (the kernel wants them taken in order)."""
    for path in by_number(glob.glob(f"{endpoint_of(memdev)}/decoder[0-9]*")):
        if int(read(path, "dpa_size"), 0) == 0:
            return path
    raise RuntimeError(f"no free endpoint decoder on {memdev}")


def release_capacity(endpoint):
    """Gives back a card's capacity that no region uses: from the last decoder, as the kernel wants it, down to the
    first that is in use. What lies below that is given back with a later region."""
    for path in reversed(by_number(glob.glob(f"{endpoint}/decoder[0-9]*"))):
        if int(read(path, "dpa_size"), 0):
            if read_or("", path, "region"):
                return
            write(0, path, "dpa_size")


def root_decoders(kind):
    return by_number(path for path in glob.glob(f"{CXL}/root0/decoder0.[0-9]*") if
                     os.path.exists(f"{path}/create_{kind}_region"))


def create_region(serials, size, granularity, root, driver, timeout):
    """A volatile region over the cards in this order; `size` is the region's, None for all of the smallest card.
    Answers its name once its dax device is bound to `driver` (None: as soon as the region is bound)."""
    wait_ready(serials, timeout)
    devices = [memdev_by_serial(serial, timeout) for serial in serials]
    ways = len(devices)
    if size is None:
        size = ways * min(int(read(CXL, device, "ram/size"), 0) for device in devices)
    root = f"{CXL}/{root}" if root else root_decoders("ram")[0]

    name = read(root, "create_ram_region")
    write(name, root, "create_ram_region")
    region = f"{CXL}/{name}"
    try:
        write(granularity, region, "interleave_granularity")
        write(ways, region, "interleave_ways")
        write(size, region, "size")
        for position, device in enumerate(devices):
            decoder = free_decoder(device)
            write("ram", decoder, "mode")
            write(size // ways, decoder, "dpa_size")
            write(os.path.basename(decoder), region, f"target{position}")
        write(1, region, "commit")
        write(name, "/sys/bus/cxl/drivers/cxl_region/bind")
    except OSError:
        write(name, root, "delete_region")
        for device in devices:
            release_capacity(endpoint_of(device))
        raise
    if driver:
        dax = wait_for(f"{name}'s dax device", lambda: dax_of_region(name), timeout)
        wait_for(f"{dax} to be complete on {driver}", lambda: is_complete(dax, driver), timeout)
    return name


def decoders_of_region(region):
    ways = int(read(CXL, region, "interleave_ways"))
    targets = [read_or("", CXL, region, f"target{position}") for position in range(ways)]
    return [f"{CXL}/{target}" for target in targets if target]


def remove_region(region, offline):
    """Takes a region down in the safe order. Without `offline` its memory must be offline already."""
    if dax := dax_of_region(region):
        if offline:
            set_blocks(dax, "offline")
        online = [index for index, block in blocks_of_dax(dax).items() if block[0] != "offline"]
        if online:
            raise RuntimeError(f"{region}: blocks {online} are not offline: removing it would lose them until reboot")
        set_dax_driver(dax, None)
    decoders = decoders_of_region(region)
    root = os.path.dirname(os.path.realpath(f"{CXL}/{region}"))
    if link(CXL, region, "driver"):
        write(region, "/sys/bus/cxl/drivers/cxl_region/unbind")
    write(0, CXL, region, "commit")
    write(region, root, "delete_region")
    for decoder in decoders:
        release_capacity(os.path.dirname(os.path.realpath(decoder)))


def regions():
    return [os.path.basename(path) for path in by_number(glob.glob(f"{CXL}/region[0-9]*"))]


# ---- dax

def dax_of_region(region):
    found = glob.glob(f"{CXL}/{region}/dax_region*/dax[0-9]*.*")
    return os.path.basename(found[0]) if found else None


def dax_devices():
    """Name → what /sys says of it."""
    return {os.path.basename(path): {
        "size": int(read(path, "size")), "target_node": int(read(path, "target_node")),
        "driver": link(path, "driver"), "ranges": ranges_of_dax(os.path.basename(path)),
        "state": read_or(None, path, "state"),
        "region": next((part for part in os.path.realpath(path).split("/") if part.startswith("region")), None),
    } for path in by_number(glob.glob(f"{DAX}/devices/dax[0-9]*.*"))}


def ranges_of_dax(dax):
    """[start, end] of each mapping, both included, in order."""
    return [[int(read(path, "start"), 0), int(read(path, "end"), 0)]
            for path in by_number(glob.glob(f"{DAX}/devices/{dax}/mapping[0-9]*"))]


def is_complete(dax, driver):
    """Whether a driver has finished with a device. Its `driver` link is there before the probe has even begun, and
    the mappings may come after that, so what the probe makes is looked for."""
    if link(DAX, "devices", dax, "driver") != driver:
        return False
    if sum(end + 1 - start for start, end in ranges_of_dax(dax)) != int(read(DAX, "devices", dax, "size")):
        return False
    if driver != "kmem":
        return True
    blocks = blocks_of_dax(dax)
    onlined = auto_online() != "offline"
    return len(blocks) == len(block_indexes(dax)) and not (onlined and any(b[0] != "online" for b in blocks.values()))


def set_dax_driver(dax, driver):
    """Binds a dax device to kmem or device_dax, or to nothing. Never offlines anything."""
    now = link(DAX, "devices", dax, "driver")
    if now == driver:
        return
    if now:
        write(dax, DAX, "drivers", now, "unbind")
    if driver:
        try:
            write(dax, DAX, "drivers", driver, "bind")
        except OSError:
            write(dax, DAX, "drivers", driver, "new_id")  # a driver that is not this device's default; it binds
            try:
                if link(DAX, "devices", dax, "driver") != driver:
                    write(dax, DAX, "drivers", driver, "bind")
            finally:  # the id is a name: left there, it would claim the next device that is called so
                write(dax, DAX, "drivers", driver, "remove_id")


# ---- memory blocks

def block_size():
    return int(read(MEMORY, "block_size_bytes"), 16)


def block_indexes(dax):
    size = block_size()
    return [index for start, end in ranges_of_dax(dax) for index in range(-(-start // size), (end + 1) // size)]


def blocks_of_dax(dax):
    """Block index → [state, zone, node] for each whole block that exists; zone is None unless the block is online."""
    blocks = {}
    for index in block_indexes(dax):
        path = f"{MEMORY}/memory{index}"
        if (state := read_or(None, path, "state")) is None:
            continue
        zone = read_or(None, path, "valid_zones") if state == "online" else None
        node = next((int(name[4:]) for name in os.listdir(path) if name.startswith("node")), None)
        blocks[index] = [state, zone, node]
    return blocks


def count_blocks(dax):
    """How many blocks of a device are offline, and how many online in each zone: {"Movable": 4, "offline": 4}."""
    counts = {}
    for state, zone, _ in blocks_of_dax(dax).values():
        what = zone if state == "online" else state
        counts[what] = counts.get(what, 0) + 1
    return counts


def wait_blocks(dax, wanted, timeout):
    """Waits until count_blocks() is as wanted, zeroes left out; answers the blocks. What was there instead is said."""
    wanted, end = {what: count for what, count in wanted.items() if count}, time.monotonic() + timeout
    while (seen := count_blocks(dax)) != wanted:
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout} s for blocks of {dax} to be {wanted}, they are {seen}")
        time.sleep(0.02)
    return blocks_of_dax(dax)


def set_blocks(dax, state, indexes=None):
    """Writes a state to a device's blocks: down for online*, up for offline. What is in it already is left alone."""
    indexes = block_indexes(dax) if indexes is None else indexes
    for index in sorted(indexes, reverse=state != "offline"):
        now = read_or(None, MEMORY, f"memory{index}", "state")
        if now is not None and (now == "offline") != (state == "offline"):
            write(state, MEMORY, f"memory{index}", "state")


def auto_online():
    return read(MEMORY, "auto_online_blocks")


def set_auto_online(value):
    write(value, MEMORY, "auto_online_blocks")
