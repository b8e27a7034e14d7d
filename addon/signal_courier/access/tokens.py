"""Tokens: made, kept as keyed hashes, recognised.

All tokens are in memory by their hash, so that recognising one is a hash and a look into a dict; what tells a right token from a wrong one
by time is the hash under a secret key, which says nothing about the token. A right one that has been recognised is found by itself until
any token changes (by Python's own hash, which is keyed anew in each process). Uses are counted in memory and written now and then.
"""

import asyncio
import base64
import contextlib
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from signal_courier.access.caller import EVERY_SCOPE, Caller
from signal_courier.access.scopes import Scope
from signal_courier.model.dialects import Dialect
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number, parse_recipient
from signal_courier.store.errors import StoreError
from signal_courier.store.tokens import TokenRow, TokenTable, Use

_LOGGER = logging.getLogger(__name__)

PREFIX = "sgc_"
"""Begins every token, so that people and secret scanners know one."""
GATEWAY_PREFIX = "mt_"
"""Begins those that the gateway makes, as its contract wants it."""
PREFIXES = (PREFIX, GATEWAY_PREFIX)
LONGEST = 512
"""Characters beyond which nothing is a token."""
_SECRET_BYTES = 32
_KEY_BYTES = 32
_LOOK = 1.0
"""Seconds between looks for what the command line did."""
_RECOGNISED = 256
"""Tokens that are known again without hashing them; none of them outlives a change of any token."""
_WRITE_USES = 10.0
"""Seconds between writes of the uses."""
_REMEMBER_MS = 90 * 86_400_000
"""How long a token that has ended is still listed."""
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


class NewToken(msgspec.Struct, kw_only=True):
    """What a token is to allow, checked."""

    name: str
    scopes: Sequence[Scope]
    accounts: Sequence[str] | None = None
    recipients: Sequence[str] | None = None
    dialect: Dialect | None = None
    expires_at: int | None = None
    """ms since the epoch."""


class Token(msgspec.Struct, kw_only=True, frozen=True):
    """A token without its secret. Times in ms since the epoch."""

    id: str
    name: str
    scopes: Sequence[Scope]
    accounts: Sequence[str] | None
    recipients: Sequence[str] | None
    dialect: Dialect | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    use_count: int

    def ended(self, now: int) -> bool:
        """Whether it was revoked or has expired."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


def now_ms() -> int:
    """The time, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def new_token(
    name: str,
    scopes: Iterable[str],
    *,
    accounts: Iterable[str] | None = None,
    recipients: Iterable[str] | None = None,
    dialect: str | None = None,
    expires_at: int | None = None,
) -> NewToken:
    """Check what somebody asks for, and bring it into its one form. Raises `InvalidValue`."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidValue("name", "name: must have 1 to 100 characters")
    known = {str(scope): scope for scope in Scope}
    wanted = list(dict.fromkeys(scopes))
    for scope in wanted:
        if scope not in known:
            raise InvalidValue("scopes", f"scopes: '{scope}' is none of {', '.join(known)}")
    if not wanted:
        raise InvalidValue("scopes", f"scopes: name at least one of {', '.join(known)}")
    if dialect is not None and dialect not in tuple(Dialect):
        raise InvalidValue("dialect", f"dialect: must be one of {', '.join(Dialect)}")
    if expires_at is not None and expires_at <= now_ms():
        raise InvalidValue("expires_at", "expires_at: is in the past")
    return NewToken(
        name=name,
        scopes=[known[scope] for scope in wanted],
        accounts=_listed("accounts", accounts, _account),
        recipients=_listed("recipients", recipients, lambda text: str(parse_recipient(text, field="recipients"))),
        dialect=Dialect(dialect) if dialect is not None else None,
        expires_at=expires_at,
    )


def _account(text: str) -> str:
    try:
        return parse_number(text).e164
    except InvalidValue as error:
        raise InvalidValue("accounts", f"accounts: '{text}' is no phone number (like +4915100000001)") from error


def _listed(field: str, texts: Iterable[str] | None, parse: Callable[[str], str]) -> list[str] | None:
    if texts is None:
        return None
    found = list(dict.fromkeys(parse(text) for text in texts))
    if not found:
        raise InvalidValue(field, f"{field}: must not be empty; without it there is no limit")
    if len(found) > 1000:
        raise InvalidValue(field, f"{field}: 1000 at most")
    return found


def mint(prefix: str = PREFIX) -> str:
    """A new secret: 256 random bits."""
    return prefix + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def fresh_key() -> bytes:
    """A key for the hashes, for a database that has none yet."""
    return secrets.token_bytes(_KEY_BYTES)


def digest(key: bytes, secret: str) -> bytes:
    """What is stored of a token."""
    return hashlib.blake2b(secret.encode(errors="surrogatepass"), key=key, digest_size=32).digest()


def row_of(new: NewToken, hash_: bytes) -> TokenRow:
    """The row of a new token."""
    return TokenRow(
        id=f"tok_{secrets.token_hex(6)}",
        name=new.name,
        hash=hash_,
        scopes=" ".join(new.scopes),
        accounts=" ".join(new.accounts) if new.accounts is not None else None,
        recipients=" ".join(new.recipients) if new.recipients is not None else None,
        dialect=new.dialect,
        created_at=now_ms(),
        expires_at=new.expires_at,
        revoked_at=None,
        last_used_at=None,
        use_count=0,
    )


def token_of(row: TokenRow) -> Token:
    """What may be told of a row."""
    return Token(
        id=row.id,
        name=row.name,
        scopes=[Scope(word) for word in row.scopes.split()],
        accounts=row.accounts.split() if row.accounts is not None else None,
        recipients=row.recipients.split() if row.recipients is not None else None,
        dialect=Dialect(row.dialect) if row.dialect is not None else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        use_count=row.use_count,
    )


def _caller_of(token: Token) -> Caller:
    scopes = frozenset(token.scopes)
    return Caller(
        name=token.name,
        kind="token",
        scopes=EVERY_SCOPE if Scope.ADMIN in scopes else scopes,  # who may give out tokens may do everything anyway
        accounts=frozenset(token.accounts) if token.accounts is not None else None,
        recipients=frozenset(token.recipients) if token.recipients is not None else None,
        dialect=token.dialect,
        token_id=token.id,
    )


class _Live:
    """A token that can be used."""

    __slots__ = ("caller", "expires", "last", "uses")

    def __init__(self, caller: Caller, expires: float) -> None:
        self.caller = caller
        self.expires = expires
        """Seconds since the epoch."""
        self.uses = 0
        self.last = 0.0


class Tokens:
    """The tokens of the running service."""

    def __init__(self, table: TokenTable, outside: str | None = None) -> None:
        """`outside`: a token that the settings bring; it may do everything and is stored nowhere."""
        self._table = table
        self._outside = outside
        self._hash = hashlib.blake2b(key=fresh_key(), digest_size=32)
        self._key = b""
        self._live: dict[bytes, _Live] = {}
        self._by_id: dict[str, _Live] = {}
        self._recognised: dict[str, _Live] = {}
        self._tokens: dict[str, Token] = {}
        self._revision = -1
        self._footprint = (0, 0)
        self._loading = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self.on_end: Callable[[str], None] | None = None
        """Told the id of every token that ends, so that what is open with it can be closed."""

    async def start(self) -> None:
        """Load them all."""
        await self._table.purge(now_ms() - _REMEMBER_MS)
        await self._load()
        self._watch = asyncio.create_task(self._keep_watch())

    async def stop(self) -> None:
        """Write what was counted."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
            await self._write_uses()

    @property
    def any(self) -> bool:
        """Whether there is a token that lets somebody in."""
        now = time.time()
        return any(live.expires > now for live in self._live.values())

    def find(self, secret: str) -> Caller | None:
        """Whose token that is; `None` where it is nobody's (any more). Counts as a use."""
        live = self._recognised.get(secret)
        if live is None:
            hasher = self._hash.copy()
            hasher.update(secret.encode(errors="surrogatepass"))
            live = self._live.get(hasher.digest())
            if live is None:
                return None
            if len(self._recognised) < _RECOGNISED:
                self._recognised[secret] = live
        now = time.time()
        if live.expires <= now:
            return None
        live.uses += 1
        live.last = now
        return live.caller

    async def refresh(self) -> bool:
        """See whether the command line has changed something; whether it has."""
        async with self._loading:
            footprint = self._table.footprint()
            if footprint == self._footprint:
                return False
            if await self._table.revision() == self._revision:
                self._footprint = footprint
                return False
            await self._load_alone()
            return True

    async def create(self, new: NewToken, prefix: str = PREFIX) -> tuple[Token, str]:
        """A new token and its secret, which is told once and begins with `prefix`."""
        secret = mint(prefix)
        row = row_of(new, digest(self._key, secret))
        await self._table.insert(row)
        await self._load()
        return token_of(row), secret

    async def revoke(self, id_: str) -> bool:
        """End a token at once; false where there is none that could be ended."""
        done = await self._table.revoke(id_, now_ms())
        await self._load()
        return done

    async def rotate(self, id_: str) -> str | None:
        """Give a token another secret; the old one is worth nothing from now on. `None` where there is no such token."""
        token = self.get(id_)
        if token is None or token.ended(now_ms()):
            return None
        secret = mint()
        if not await self._table.replace(id_, digest(self._key, secret)):
            return None
        await self._load(replaced=id_)
        return secret

    async def change(self, id_: str, *, scopes: Sequence[Scope] | None = None, accounts: Sequence[str] | None = None) -> bool:
        """Let a token do something else from now on; `None` leaves a list as it is, an empty one allows nothing.

        Where scopes change, what is open with the token is closed. False where there is no token that could be changed.
        """
        done = await self._table.change(
            id_, scopes=" ".join(scopes) if scopes is not None else None, accounts=" ".join(accounts) if accounts is not None else None
        )
        await self._load(replaced=id_ if scopes is not None else None)
        return done

    def get(self, id_: str) -> Token | None:
        """One token."""
        token = self._tokens.get(id_)
        return self._counted(token) if token is not None else None

    def may_receive(self, id_: str) -> bool:
        """Whether what a token has set up may still receive. Trusted callers, who have no token (an empty id), always may."""
        if not id_:
            return True
        live = self._by_id.get(id_)
        return live is not None and live.expires > time.time() and live.caller.may(Scope.RECEIVE)

    def all(self) -> list[Token]:
        """Every token, those too that ended lately, oldest first."""
        return [self._counted(token) for token in self._tokens.values()]

    def _counted(self, token: Token) -> Token:
        live = self._by_id.get(token.id)
        if live is None or not live.uses:
            return token
        return msgspec.structs.replace(token, last_used_at=int(live.last * 1000), use_count=token.use_count + live.uses)

    async def _load(self, replaced: str | None = None) -> None:
        async with self._loading:
            await self._load_alone(replaced)

    async def _load_alone(self, replaced: str | None = None) -> None:
        """The same for whoever holds `_loading`."""
        await self._write_uses()
        footprint = self._table.footprint()
        state = await self._table.load(fresh_key())
        self._footprint = footprint
        if state.key != self._key:
            self._key = state.key
            self._hash = hashlib.blake2b(key=state.key, digest_size=32)
        before = {id_: live for id_, live in self._by_id.items() if live.expires > time.time()}
        self._revision = state.revision
        self._tokens = {row.id: token_of(row) for row in state.rows}
        self._live, self._by_id, self._recognised = {}, {}, {}
        for row in state.rows:
            if row.revoked_at is not None:
                continue
            token = self._tokens[row.id]
            live = _Live(_caller_of(token), row.expires_at / 1000 if row.expires_at is not None else float("inf"))
            if (old := before.get(row.id)) is not None:  # used while the database was asked
                live.uses, live.last = old.uses, old.last
            self._live[row.hash] = self._by_id[row.id] = live
        if self._outside is not None:
            caller = Caller(name="COURIER_TOKEN", kind="token", scopes=EVERY_SCOPE)
            self._live[digest(self._key, self._outside)] = _Live(caller, float("inf"))
        self._tell_ended([id_ for id_ in before if id_ not in self._by_id or id_ == replaced])

    def _tell_ended(self, ids: Iterable[str]) -> None:
        if self.on_end is not None:
            for id_ in ids:
                self.on_end(id_)

    async def _keep_watch(self) -> None:
        written = looked = time.time()
        while True:
            await asyncio.sleep(_LOOK)
            now = time.time()
            self._tell_ended([id_ for id_, live in self._by_id.items() if looked < live.expires <= now])
            looked = now
            with contextlib.suppress(StoreError):  # the store says so itself, and what is known stays known
                await self.refresh()
                if now - written >= _WRITE_USES:
                    written = now
                    await self._write_uses()

    async def _write_uses(self) -> None:
        used = [(id_, live) for id_, live in self._by_id.items() if live.uses]
        if not used:
            return
        uses = [Use(int(live.last * 1000), live.uses, id_) for id_, live in used]
        try:
            await self._table.count(uses)
        except StoreError as error:
            _LOGGER.warning("The uses of tokens could not be counted yet: %s", error)
            return
        for use, (id_, live) in zip(uses, used, strict=True):
            live.uses -= use.times
            if (token := self._tokens.get(id_)) is not None:
                self._tokens[id_] = msgspec.structs.replace(token, last_used_at=use.at, use_count=token.use_count + use.times)
