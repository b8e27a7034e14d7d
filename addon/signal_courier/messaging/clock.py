"""A clock that a jump of the system's clock does not carry away at once.

Small home servers without a battery start in the past and are set right later, and a wrong time server may send everybody into the future.
Nothing here orders by time; but retention counts days, and must not throw everything away because of one wrong hour.
"""

import time
from collections.abc import Callable

TOLERANCE = 60.0
"""Seconds by which the system's clock may differ before that counts as a jump (NTP's small steps do not)."""
SETTLE = 24 * 3600.0
"""Seconds for which the system's clock must stay where it jumped to before it is believed."""


class GuardedClock:
    """Runs with the system's clock; after a jump it runs on by itself until the new time has proved to last."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._jump: tuple[float, float] | None = None
        """The offset jumped to, and when (monotonic)."""
        self._started = monotonic()

    @property
    def uptime(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic() - self._started

    def now_ms(self) -> int:
        """The time in ms since epoch."""
        now = self._monotonic()
        offset = self._wall() - now
        if abs(offset - self._offset) <= TOLERANCE:
            self._offset, self._jump = offset, None
        elif self._jump is None or abs(offset - self._jump[0]) > TOLERANCE:
            self._jump = (offset, now)
        elif now - self._jump[1] >= SETTLE:
            self._offset, self._jump = offset, None
        return int((now + self._offset) * 1000)
