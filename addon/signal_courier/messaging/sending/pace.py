"""How fast: when to try again, and how many messages an account may send."""

import random

_SPREAD = (0.75, 1.25)


def pause_after(failures: int, *, first: float, longest: float) -> float:
    """Seconds until the next attempt: twice as long each time, and never the same for all who were hit by the same trouble."""
    pause: float = min(longest, first * 2 ** min(failures - 1, 20))
    return pause * random.uniform(*_SPREAD)  # noqa: S311 (jitter is no secret)


class Pace:
    """Lets an account send so many messages a minute: as many at once, then evenly. 0 = no limit."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._size = float(per_minute)
        self._left: dict[str, tuple[float, float]] = {}
        """What was left in an account's bucket, and when."""

    def take(self, account: str, now: float) -> float:
        """Take a place if there is one: 0. Otherwise the seconds until there is. `now` in seconds of a monotonic clock."""
        if not self._rate:
            return 0.0
        left = self._level(account, now)
        if left < 1:
            return (1 - left) / self._rate
        self._left[account] = (left - 1, now)
        return 0.0

    def note(self, account: str, now: float) -> None:
        """A message that did not ask was sent; those that ask make room for it."""
        if self._rate:
            level = self._level(account, now)
            self._left[account] = (level - 1 if level > 1 else 0.0, now)

    def _level(self, account: str, now: float) -> float:
        known = self._left.get(account)
        if known is None:
            return self._size
        level = known[0] + (now - known[1]) * self._rate
        return level if level < self._size else self._size  # noqa: FURB136  # `min` costs more than all the rest
