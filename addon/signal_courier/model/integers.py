"""Whole numbers as they come from outside, bounded: signal-cli and SQLite have 64 bits, JSON has no end."""

from typing import Annotated, Final

import msgspec

LEAST: Final = -(2**63)
GREATEST: Final = 2**63 - 1

Int64 = Annotated[int, msgspec.Meta(ge=LEAST, le=GREATEST)]
"""Any whole number of 64 bits; a larger one is refused where the body is decoded, as upstream does."""


def int64(text: str) -> int:
    """Such a number in decimal digits; raises `ValueError` for anything else."""
    number = int(text)
    if not LEAST <= number <= GREATEST:
        raise ValueError(f"{text[:30]} has more than 64 bits")
    return number
