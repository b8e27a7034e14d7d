"""Gives back to the system what a busy time took, once it is over.

The house idles for most of its life, often beside others on a small machine. What a flood of messages or a large answer leaves behind is
little use then: frames kept for consumers that have read them, and memory that the allocator keeps for the next flood.
"""

import asyncio
import gc
import os
from pathlib import Path

from signal_courier.messaging.receiving.feed import Feed

INTERVAL = 30.0
"""Seconds between two looks; it is quiet when nothing was received between them."""
_SLACK = 4 << 20
"""Bytes that are not worth the trouble."""


class Quiet:
    """Looks now and then whether it is quiet. `run` is its task."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._seen = feed.head()
        self._usual = resident()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        """Give back what is not needed, if nothing was received since the last look. Takes some milliseconds when there is something."""
        seen, self._seen = self._seen, self._feed.head()
        if seen != self._seen:
            return
        self._feed.let_go()
        if resident() > self._usual + _SLACK:
            gc.collect()
            trim()
            self._usual = resident()


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def trim() -> None:
    """Have the C library give back what it keeps for later; not every one can."""
    import ctypes  # noqa: PLC0415  # half a MiB: only after a busy time

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # musl, macOS
        return
