"""When a delivery that failed is tried again: the schedule that Standard Webhooks 1.0.0 gives, with jitter, and `Retry-After`."""

import datetime as dt
import email.utils
import random
from typing import Final

PAUSES: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds from one attempt to the next: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. The first attempt is made at once."""
ATTEMPTS: Final = len(PAUSES) + 1
JITTER: Final = 0.1
"""A pause is longer by up to this part of it, so that receivers which fell together are not all asked together."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds; a receiver that asks for more is asked again after that."""


def pause_after(attempts: int, retry_after: float | None, random_part: float | None = None) -> float | None:
    """Seconds until the next attempt after that many failed ones; `None` when there is none.

    A `retry_after` (seconds) that is longer than the schedule counts; a shorter one does not, as attempts are few.
    `random_part` (0 to 1) is for tests.
    """
    if attempts >= ATTEMPTS:
        return None
    part = random.random() if random_part is None else random_part  # noqa: S311  # spreads load, hides nothing
    pause = PAUSES[attempts - 1] * (1 + JITTER * part)
    return max(pause, min(retry_after or 0.0, LONGEST_WAIT))


def read_retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a header `Retry-After` asks for: a number, or a date (`now` in seconds since the epoch); `None` if it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp() - now)  # HTTP's dates are all GMT
    except (ValueError, OverflowError):
        return None
