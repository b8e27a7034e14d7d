"""What an older version has received takes its place in the history: the newest first, little by little, once."""

import asyncio
import logging
from typing import Final

import msgspec

from signal_courier.engine.reports.places import place_of
from signal_courier.store.backfill import BackfillTable, Placed, Unplaced
from signal_courier.store.database import Database

_LOGGER = logging.getLogger(__name__)

_SLICE: Final = 1000
"""Ids that are looked at in one go."""
_PAUSE: Final = 0.05
"""Seconds between two, for everybody else."""


class Backfill:
    """Finds places for old frames. `run` is its task, and ends."""

    def __init__(self, database: Database) -> None:
        self._table = BackfillTable(database)

    async def run(self) -> None:
        """Look at everything that was not looked at yet. Raises a `StoreError`, after which it can be run again."""
        below = await self._table.below()
        if below is None:
            return
        _LOGGER.info("Messages of an earlier version take their places in the history")
        while below > 1:
            start = max(1, below - _SLICE)
            found = await self._table.slice(start, below)
            await self._table.place([placed for one in found if (placed := _placed(one)) is not None], start)
            below = start
            await asyncio.sleep(_PAUSE)


def _placed(one: Unplaced) -> Placed | None:
    try:
        place = place_of(one.frame)
    except msgspec.MsgspecError:
        return None
    if place.account is None or place.conversation is None:
        return None
    return Placed(one.id, place.account, place.conversation, place.target, place.own)
