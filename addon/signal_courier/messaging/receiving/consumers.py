"""Named consumers of the event log: each has a stored position, which it moves on by acknowledging.

At least once, in order: what was not acknowledged is told again on the next connection. A consumer's position costs one row; it may stay
away as long as it likes, up to what retention keeps.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded
from signal_courier.store.events import ConsumerRow, EventConsumerTable

MOST = 1000
"""Consumers that there may be."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A consumer, as it is now."""

    owner: str
    """Id of the token that made it; `""` for trusted callers."""
    name: str
    position: int
    """Everything up to this id was acknowledged."""
    lag: int
    """Entries of the log behind it, wanted or not."""
    missed: int
    """Those of them that retention has removed already."""
    connections: int
    created_at: int
    seen_at: int


class Consumers:
    """Who follows the log under a name. Names belong to their owners: two owners may use the same."""

    def __init__(self, table: EventConsumerTable, log: EventLog, clock: GuardedClock) -> None:
        self._table = table
        self._log = log
        self._clock = clock
        self._rows: dict[tuple[str, str], ConsumerRow] = {}
        self._connections: Counter[tuple[str, str]] = Counter()

    async def start(self) -> None:
        """Load them."""
        self._rows = {(row.owner, row.name): row for row in await self._table.all()}

    async def all(self, owner: str | None) -> list[Consumer]:
        """The consumers of one owner, or all (`None`), by name."""
        oldest = await self._log.oldest()
        return [self._told(row, oldest) for key, row in sorted(self._rows.items()) if owner is None or key[0] == owner]

    async def get(self, owner: str, name: str) -> Consumer:
        """One of them; raises `MissingThing`."""
        return self._told(self._row(owner, name), await self._log.oldest())

    async def open(self, owner: str, name: str, *, after: int | None = None, reserved: bool = False) -> int:
        """The position of a consumer, which is made if need be: behind `after`, else with what comes from now on.

        `reserved`: the service itself chose the name.

        Raises `InvalidValue` for what is no name, `Overloaded` where there are too many.
        """
        row = self._rows.get((owner, name))
        if row is None:
            if not reserved and not _NAME.fullmatch(name):
                raise InvalidValue("consumer", "consumer: 1 to 64 letters, digits, dots, dashes and underscores, please")
            if len(self._rows) >= MOST:
                raise Overloaded(f"There are {MOST} consumers already: delete some")
            now = self._clock.now_ms()
            position = self._log.head if after is None else max(0, min(after, self._log.head))
            row = self._rows[owner, name] = ConsumerRow(owner, name, position, now, now)
            await self._table.save([row])
        return row.position

    def position(self, owner: str, name: str) -> int:
        """How far it has acknowledged; raises `MissingThing`."""
        return self._row(owner, name).position

    async def acknowledge(self, owner: str, name: str, position: int) -> int:
        """Everything up to this id is done with; gives the position, which never goes back. Returns once it is stored.

        Raises `MissingThing`, and `InvalidValue` for an id that was never given.
        """
        row = self._row(owner, name)
        if not 0 <= position <= self._log.head:
            raise InvalidValue("id", f"id: there is no event {position} yet, the newest is {self._log.head}")
        row = row._replace(position=max(position, row.position), seen_at=self._clock.now_ms())
        self._rows[owner, name] = row
        await self._table.save([row])
        return row.position

    async def delete(self, owner: str, name: str) -> None:
        """Forget a consumer; raises `MissingThing`. One that is connected goes on, but can acknowledge no more."""
        self._row(owner, name)
        del self._rows[owner, name]
        await self._table.delete(owner, name)

    @contextmanager
    def connected(self, owner: str, name: str) -> Iterator[None]:
        """Count a connection for the time of the block."""
        self._connections[owner, name] += 1
        try:
            yield
        finally:
            self._connections[owner, name] -= 1
            if not self._connections[owner, name]:
                del self._connections[owner, name]

    def _row(self, owner: str, name: str) -> ConsumerRow:
        row = self._rows.get((owner, name))
        if row is None:
            raise MissingThing("consumer", "There is no consumer of this name")
        return row

    def _told(self, row: ConsumerRow, oldest: int) -> Consumer:
        return Consumer(
            owner=row.owner,
            name=row.name,
            position=row.position,
            lag=self._log.head - row.position,
            missed=max(0, oldest - row.position),
            connections=self._connections[row.owner, row.name],
            created_at=row.created_at,
            seen_at=row.seen_at,
        )
