"""`signal-courier token …`: works with the database itself, whether the service runs or not. A running one notices within a second."""

import argparse
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import Token, digest, fresh_key, mint, new_token, now_ms, row_of, token_of
from signal_courier.model.dialects import Dialect
from signal_courier.model.errors import InvalidValue
from signal_courier.store import tokens as table
from signal_courier.store.beside import beside

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_ONCE = "This is the only time it is shown: only a hash of it is kept."


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    commands = parser.add_subparsers(dest="token_command", required=True)
    create = commands.add_parser("create", help="make a token and show it once")
    create.add_argument("name", help="what it is for")
    create.add_argument(
        "--scope", action="extend", required=True, type=_scopes, metavar="SCOPE",
        help=f"what it allows, of {', '.join(Scope)}; several with commas, or repeat",
    )  # fmt: skip
    create.add_argument("--account", action="append", metavar="NUMBER", help="only for this account; repeat")
    create.add_argument("--recipient", action="append", help="may write to this person or group only; repeat")
    create.add_argument("--expires", metavar="TIME", help="for so long (30d, 12h, …), or until a day (2027-01-31)")
    create.add_argument("--dialect", choices=[str(dialect) for dialect in Dialect], help="which release's answers it gets")
    listing = commands.add_parser("list", help="show the tokens")
    listing.add_argument("--all", action="store_true", help="those too that were revoked or have expired")
    for name, text in (("revoke", "end a token at once"), ("rotate", "give a token another secret; the old one ends at once")):
        command = commands.add_parser(name, help=text)
        command.add_argument("token", help="its id (tok_…), or its name where only one has it")


def _scopes(text: str) -> list[str]:
    found = [word.strip() for word in text.split(",")]
    if wrong := [word for word in found if word not in frozenset(Scope)]:
        raise argparse.ArgumentTypeError(f"there is no scope {wrong[0]!r}; there are {', '.join(Scope)}")
    return found


def run(parsed: argparse.Namespace, database: Path) -> Sequence[str]:
    """Do what the command line says; gives the lines to print. Raises `InvalidValue` and `StoreError`."""
    match parsed.token_command:
        case "create":
            return _create(parsed, database)
        case "list":
            return list(_list(database, everything=parsed.all))
        case "revoke":
            return _revoke(parsed.token, database)
        case _:
            return _rotate(parsed.token, database)


def _create(parsed: argparse.Namespace, database: Path) -> Sequence[str]:
    new = new_token(
        parsed.name,
        parsed.scope,
        accounts=parsed.account,
        recipients=parsed.recipient,
        dialect=parsed.dialect,
        expires_at=_moment(parsed.expires) if parsed.expires else None,
    )
    secret = mint()
    first = not database.exists()
    with beside(database) as connection:
        key = table.load(connection, fresh_key()).key
        row = row_of(new, digest(key, secret))
        table.insert(connection, row)
    nowhere = f"No service has run yet with its data in {database.parent} (COURIER_DATA_DIR): the token is for one that does."
    return [f"{row.id}  {row.name}", secret, _ONCE, *([nowhere] if first else [])]


def _list(database: Path, *, everything: bool) -> Iterator[str]:
    now = now_ms()
    with beside(database) as connection:
        known = [token_of(row) for row in table.load(connection, fresh_key()).rows]
    shown = [token for token in known if everything or not token.ended(now)]
    if not shown:
        yield "no tokens"
    for token in shown:
        state = "revoked" if token.revoked_at is not None else "expired" if token.ended(now) else ""
        limits = [
            f"accounts {', '.join(token.accounts)}" if token.accounts is not None else "",
            f"recipients {', '.join(token.recipients)}" if token.recipients is not None else "",
            f"dialect {token.dialect}" if token.dialect is not None else "",
            f"until {_day(token.expires_at)}" if token.expires_at is not None else "",
            f"used {token.use_count} times, last {_day(token.last_used_at)}" if token.last_used_at is not None else "never used",
            state,
        ]
        yield "  ".join([token.id, token.name, ",".join(token.scopes), *(text for text in limits if text)])


def _revoke(name: str, database: Path) -> Sequence[str]:
    with beside(database) as connection:
        token = _meant(name, [token_of(row) for row in table.load(connection, fresh_key()).rows])
        table.revoke(connection, token.id, now_ms())
    return [f"{token.id}  {token.name} is revoked"]


def _rotate(name: str, database: Path) -> Sequence[str]:
    secret = mint()
    with beside(database) as connection:
        state = table.load(connection, fresh_key())
        token = _meant(name, [token_of(row) for row in state.rows])
        table.replace(connection, token.id, digest(state.key, secret))
    return [f"{token.id}  {token.name}", secret, _ONCE]


def _meant(name: str, known: Sequence[Token]) -> Token:
    now = now_ms()
    found = [token for token in known if name in (token.id, token.name) and not token.ended(now)]
    if len(found) != 1:
        what = "no token in use has that id or name" if not found else "several tokens have that name: give the id"
        raise InvalidValue("token", f"{name}: {what}")
    return found[0]


def _moment(text: str) -> int:
    """A time in ms since the epoch."""
    if span := re.fullmatch(r"(\d{1,5})([mhdw])", text):
        return now_ms() + int(span[1]) * _UNITS[span[2]] * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue("expires", f"--expires: '{text}' is neither a span like 30d nor a day like 2027-01-31") from None
    return int((moment if moment.tzinfo is not None else moment.astimezone()).timestamp() * 1000)


def _day(at: int | None) -> str:
    return datetime.fromtimestamp((at or 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
