#!/usr/bin/env python3
"""Two network namespaces and a delaying relay between them: a long line on one machine.

`delay.py RTT_MS` (as root) makes the namespaces fantail-server (10.99.0.1) and fantail-client
(10.99.0.2), prints "ready" and relays IP packets between their TUN devices, each RTT_MS / 2 late and
in order, until it is told to end (SIGTERM); then both namespaces are gone. The kernels' TCP sees a
line whose acknowledgements take RTT_MS, which a relay of bytes would hide.
"""

import collections
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65_536
# Packets under way: beyond it a line of this speed would drop them too.
PACKETS_MAX = 20_000
SIDES = (("fantail-server", "10.99.0.1", "10.99.0.2"), ("fantail-client", "10.99.0.2", "10.99.0.1"))


def ip(*words):
    subprocess.run(("ip", *words), check=True)


def device(namespace, own, other):
    """A TUN device inside the namespace, whose packets are read and written here."""
    name = namespace[-6:]
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    ip("netns", "add", namespace)
    ip("link", "set", name, "netns", namespace)
    ip("-n", namespace, "addr", "add", own, "peer", other, "dev", name)
    ip("-n", namespace, "link", "set", name, "up", "txqueuelen", "10000")
    ip("-n", namespace, "link", "set", "lo", "up")
    return file


def relay(files, delay):
    """Packets of each side, handed to the other when they are due."""
    queues = (collections.deque(), collections.deque())
    while True:
        now = time.monotonic()
        for queue, target in zip(queues, reversed(files)):
            while queue and queue[0][0] <= now:
                os.write(target, queue.popleft()[1])
        dues = [queue[0][0] for queue in queues if queue]
        wait = max(0.0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select(files, (), (), wait)
        for file in readable:
            queue = queues[files.index(file)]
            due = time.monotonic() + delay
            try:
                while len(queue) < PACKETS_MAX:
                    queue.append((due, os.read(file, PACKET_BYTES_MAX)))
            except BlockingIOError:
                pass


def main():
    delay = float(sys.argv[1]) / 2_000
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        files = tuple(device(*side) for side in SIDES)
        print("ready", flush=True)
        relay(files, delay)
    finally:
        for namespace, _, _ in SIDES:
            subprocess.run(("ip", "netns", "del", namespace), check=False)


main()
