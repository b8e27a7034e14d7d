"""Webhooks, what is to be delivered to them again, and the log of their deliveries."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from signal_courier.model.webhooks import Cause, Delivery, Outcome, Replay, Webhook
from signal_courier.store.database import Database

KEPT: Final = 1000
"""Deliveries of one webhook that the log keeps."""
_JSON: Final = ("selection", "secrets", "pending")
_COLUMNS: Final = Webhook.__struct_fields__
_DELIVERY_COLUMNS: Final = Delivery.__struct_fields__


class WebhookTable:
    """Reads and writes the tables `webhooks`, `webhook_replays` and `webhook_deliveries`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Webhook]:
        """Every webhook, oldest first."""
        return await self._database.read(
            lambda connection: [
                _webhook_of(row)
                for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM webhooks ORDER BY number").fetchall()  # noqa: S608
            ]
        )

    async def insert(self, webhook: Webhook) -> int:
        """Keep a new one; gives its number."""
        values = _stored({name: getattr(webhook, name) for name in _COLUMNS if name != "number"})
        return await self._database.write(lambda connection: _insert(connection, "webhooks", values))

    async def change(
        self,
        id_: str,
        changes: Mapping[str, object],
        *,
        delivery: Delivery | None = None,
        replay: Replay | None = None,
        deadline: float | None = None,
    ) -> None:
        """Set members of a webhook, note an attempt, and how far a replay has come (one that is through is forgotten), all at once.

        Without a deadline it waits as long as the database is open.
        """
        values = _stored(changes)

        def work(connection: sqlite3.Connection) -> None:
            if values:
                names = ", ".join(f"{name} = ?" for name in values)
                connection.execute(f"UPDATE webhooks SET {names} WHERE id = ?", (*values.values(), id_))  # noqa: S608
            if delivery is not None:
                _log(connection, delivery)
            if replay is not None and replay.after >= replay.upto:
                connection.execute("DELETE FROM webhook_replays WHERE id = ?", (replay.id,))
            elif replay is not None:
                connection.execute('UPDATE webhook_replays SET "after" = ? WHERE id = ?', (replay.after, replay.id))

        await self._database.write(work, deadline=deadline)

    async def delete(self, id_: str) -> None:
        """Forget a webhook and everything about it."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM webhooks WHERE id = ?", (id_,))
            connection.execute("DELETE FROM webhook_replays WHERE webhook = ?", (id_,))
            connection.execute("DELETE FROM webhook_deliveries WHERE webhook = ?", (id_,))

        await self._database.write(work)

    async def replays(self, webhook: str) -> list[Replay]:
        """What is to be delivered again, in the order in which it was asked for."""
        return await self._database.read(
            lambda connection: [
                Replay(*row)
                for row in connection.execute(
                    'SELECT id, "after", upto FROM webhook_replays WHERE webhook = ? ORDER BY id', (webhook,)
                ).fetchall()
            ]
        )

    async def add_replay(self, webhook: str, after: int, upto: int) -> Replay:
        """Ask for events behind `after` up to `upto` again."""
        values = {"webhook": webhook, '"after"': after, "upto": upto}
        number = await self._database.write(lambda connection: _insert(connection, "webhook_replays", values))
        return Replay(number, after, upto)

    async def deliveries(self, webhook: str, *, before: int | None, limit: int, outcome: Outcome | None) -> list[Delivery]:
        """The log of a webhook, newest first; `before`: only those with smaller ids."""
        return await self._database.read(
            lambda connection: [
                _delivery_of(row)
                for row in connection.execute(
                    f"SELECT {', '.join(_DELIVERY_COLUMNS)} FROM webhook_deliveries "  # noqa: S608
                    "WHERE webhook = ? AND id < ? AND (? IS NULL OR outcome = ?) ORDER BY id DESC LIMIT ?",
                    (webhook, before if before is not None else 1 << 62, outcome, outcome, limit),
                ).fetchall()
            ]
        )


def _webhook_of(row: Sequence[object]) -> Webhook:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _JSON:
        text = values[name]
        values[name] = msgspec.json.decode(text) if isinstance(text, str) else None
    return msgspec.convert(values, Webhook, strict=False)


def _stored(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _column(name, value) for name, value in values.items()}


def _column(name: str, value: object) -> object:
    if name not in _COLUMNS:
        raise KeyError(name)
    if name in _JSON:
        return None if value is None else msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        return int(value)
    return None if value is None else str(value) if isinstance(value, str) else value


def _delivery_of(row: Sequence[object]) -> Delivery:
    return msgspec.convert(dict(zip(_DELIVERY_COLUMNS, row, strict=True)), Delivery)


def _log(connection: sqlite3.Connection, delivery: Delivery) -> None:
    values = {name: getattr(delivery, name) for name in _DELIVERY_COLUMNS if name != "id"}
    values["cause"], values["outcome"] = str(Cause(delivery.cause)), str(Outcome(delivery.outcome))
    _insert(connection, "webhook_deliveries", values)
    connection.execute(
        """
        DELETE FROM webhook_deliveries WHERE webhook = :webhook AND id <= (
            SELECT id FROM webhook_deliveries WHERE webhook = :webhook ORDER BY id DESC LIMIT 1 OFFSET :kept
        )
        """,
        {"webhook": delivery.webhook, "kept": KEPT},
    )


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))  # noqa: S608  # names of columns
    return cursor.lastrowid or 0
