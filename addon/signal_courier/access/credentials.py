"""The gateway's credentials and the tokens that they make, over the one store of tokens.

The secret of a credential is a token with the scope `gateway`, which opens nothing but the gateway's own administration; a token `mt_…` is
one with the scopes that its credential's allow, and a set of accounts. So whatever is true of tokens (hashed, shown once, throttled,
revoked at once, in the audit log) is true of these, and what a credential loses its tokens lose everywhere.

There is one super admin, `admin`: whoever has a token with the scope `admin`, under any client id.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from signal_courier.access.caller import Caller
from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import GATEWAY_PREFIX, NewToken, Token, Tokens, now_ms
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.store.credentials import CredentialRow, CredentialTable, GatewayTokenRow

SUPER_ADMIN: Final = "admin"
EVERYTHING: Final = "*"
SCOPES: Final = (
    EVERYTHING,
    "credentials:read:*", "credentials:write:*", "tokens:read:*", "tokens:write:create", "tokens:write:delete", "devices:*", "webhooks:*",
)  # fmt: skip
DEFAULT_SCOPES: Final = ("tokens:write:create", "devices:*", "webhooks:*")
_SCOPE: Final = re.compile(r"\*|[a-z_]{1,32}(:[a-z_]{1,32}){0,3}(:\*)?")
_CLIENT_ID: Final = re.compile(r"[^\x00-\x20\x7f:/?#%]{1,100}")
_LONGEST: Final = 500
_MOST: Final = 1000


class Denied(Exception):
    """Not with this credential, or not with this one as its object; the text says why."""


class Taken(Exception):
    """There is such a thing already; the text says which."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Who may ask for tokens. Times in ms since the epoch."""

    client_id: str
    token: str | None
    """Id of the token that is its secret."""
    scopes: tuple[str, ...]
    description: str
    active: bool
    created_at: int
    updated_at: int

    @property
    def is_super_admin(self) -> bool:
        """Whether it is the one that cannot be changed."""
        return self.client_id == SUPER_ADMIN

    def may(self, scope: str) -> bool:
        """Whether its scopes hold one: literally, by `*`, or by a beginning that ends in `:*`."""
        return any(granted in (EVERYTHING, scope) or (granted.endswith(":*") and scope.startswith(granted[:-1])) for granted in self.scopes)

    @property
    def native_scopes(self) -> tuple[Scope, ...]:
        """What its tokens may do, in the words of this service."""
        if not self.active:
            return ()
        devices = (Scope.SEND, Scope.ACCOUNTS) if self.may("devices:*") else ()
        return (*devices, Scope.RECEIVE) if self.may("webhooks:*") else devices


class Ended(NamedTuple):
    """A token that has ended, and another one that uses the same devices, if there is one."""

    token: str
    heir: str | None


class GatewayToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that a credential has made."""

    number: int
    token: Token
    client_id: str
    identity: str
    """Whose devices it uses: 16 hex digits."""
    is_host: bool
    is_admin: bool
    updated_at: int

    @property
    def device(self) -> str:
        """A made-up id that stays: 16 hex digits."""
        return hashlib.blake2b(self.token.id.encode(), digest_size=8).hexdigest()


class Credentials:
    """All of them, in memory; written when they change."""

    def __init__(self, table: CredentialTable, tokens: Tokens) -> None:
        self._table = table
        self._tokens = tokens
        self._credentials: dict[str, Credential] = {}
        self._made: dict[int, GatewayTokenRow] = {}
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Load them. The tokens were loaded before; what has ended among them is forgotten here."""
        credentials, made = await self._table.load()
        self._credentials = {row.client_id: _credential_of(row) for row in credentials}
        self._made = {row.number: row for row in made}
        if ended := [row.number for row in made if self._alive(row.token) is None]:
            await self._forget(ended)

    # --- credentials -----------------------------------------------------------------------------------------------------

    @property
    def super_admin(self) -> Credential:
        """The one that administrators act as."""
        return self._credentials[SUPER_ADMIN]

    def of(self, caller: Caller) -> Credential | None:
        """The credential that somebody has shown the secret of; `None` where it was none."""
        if Scope.ADMIN in caller.scopes:
            return self.super_admin
        shown = caller.token_id
        return next((known for known in self._credentials.values() if known.token == shown), None) if shown is not None else None

    def all(self) -> list[Credential]:
        """Every credential, oldest first."""
        return list(self._credentials.values())

    async def create(self, by: Credential, client_id: str, description: str) -> tuple[Credential, str]:
        """A new credential, with what it may do by default as far as its maker may, and its secret. Raises `InvalidValue`, `Taken`."""
        client_id = client_id.strip()
        if not client_id:
            raise InvalidValue("client_id", "missing required field: client_id")
        if not _CLIENT_ID.fullmatch(client_id):
            raise InvalidValue("client_id", "client_id: 1 to 100 characters without spaces and none of :/?#%")
        _check_description(description)
        async with self._changing:
            if client_id in self._credentials:
                raise Taken(f"Credential with client_id '{client_id}' already exists")
            if len(self._credentials) >= _MOST:
                raise Denied(f"There are {_MOST} credentials already")
            token, secret = await self._tokens.create(NewToken(name=f"gateway credential {client_id}"[:100], scopes=[Scope.GATEWAY]))
            now = now_ms()
            created = Credential(
                client_id=client_id,
                token=token.id,
                scopes=tuple(scope for scope in DEFAULT_SCOPES if by.may(scope)),
                description=description,
                active=True,
                created_at=now,
                updated_at=now,
            )
            await self._keep(created)
        return created, secret

    async def change(
        self,
        by: Credential,
        client_id: str,
        *,
        description: str | None = None,
        active: bool | None = None,
        scopes: Sequence[str] | None = None,
        regenerate_secret: bool = False,
    ) -> tuple[Credential, str | None]:
        """Change what is given; with the new secret where one was wanted. Its tokens can do from now on what it can allow them.

        Raises:
            MissingThing: There is no such credential.
            Denied: It is the super admin's, or has (or would get) scopes that the one who changes it has not.
            InvalidValue: A value cannot be.
        """
        async with self._changing:
            old = self._meant(client_id)
            if old.is_super_admin:
                if active is False:
                    raise Denied("Cannot deactivate super admin credentials")
                if regenerate_secret:
                    raise Denied("Cannot regenerate secret for super admin credentials")
                if scopes is not None:
                    raise Denied("Cannot change the scopes of super admin credentials")
            wanted = old.scopes if scopes is None else _checked(scopes)
            _check_reach(by, (*old.scopes, *wanted))
            if description is not None:
                _check_description(description)
            new = msgspec.structs.replace(
                old,
                description=old.description if description is None else description,
                active=old.active if active is None else active,
                scopes=wanted,
                updated_at=now_ms(),
            )
            await self._keep(new)
            if new.native_scopes != old.native_scopes:
                for row in self._rows(client_id):
                    await self._tokens.change(row.token, scopes=new.native_scopes)
            secret = await self._new_secret(new) if regenerate_secret else None
        return self._credentials[client_id], secret

    async def delete(self, by: Credential, client_id: str) -> list[Ended]:
        """End a credential and every token that it has made; gives those. Raises `MissingThing`, `Denied`."""
        async with self._changing:
            old = self._meant(client_id)
            if old.is_super_admin:
                raise Denied("Cannot delete super admin credentials")
            _check_reach(by, old.scopes)
            rows = self._rows(client_id)
            for token in (*(row.token for row in rows), *([old.token] if old.token is not None else [])):
                await self._tokens.revoke(token)
            await self._table.delete(client_id)
            del self._credentials[client_id]
            self._made = {number: row for number, row in self._made.items() if row.client_id != client_id}
        return [self._ended(row) for row in rows]

    # --- tokens ----------------------------------------------------------------------------------------------------------

    async def create_token(self, by: Credential, *, use_host: bool, expires_at: int | None) -> str:
        """A new token: for the accounts of this service (`use_host`), or for those that will be linked with it. Gives its secret.

        The first one of a super admin is for the accounts of this service, too. Raises `Denied`, `InvalidValue`.
        """
        async with self._changing:
            if use_host and not by.is_super_admin:
                raise Denied("Only super_admin can use use_host=true")
            host = next((made.identity for made in self._living() if made.is_host), None)
            if use_host and host is None:
                raise InvalidValue("use_host", "No admin identity found. Create first token with use_host=false")
            if expires_at is not None and expires_at <= now_ms():
                raise InvalidValue("expires_at", "expires_at must be in the future")
            is_admin = host is None and by.is_super_admin
            is_host = use_host or is_admin
            new = NewToken(
                name=f"gateway token of {by.client_id}"[:100],
                scopes=by.native_scopes,
                accounts=None if is_host else [],
                expires_at=expires_at,
            )
            token, secret = await self._tokens.create(new, GATEWAY_PREFIX)
            identity = host if use_host and host is not None else secrets.token_hex(8)
            row = GatewayTokenRow(0, token.id, by.client_id, identity, is_host, is_admin, now_ms())
            row = row._replace(number=await self._table.add_token(row))
            self._made[row.number] = row
        return secret

    def tokens(self, by: Credential) -> list[GatewayToken]:
        """The living tokens that a credential has made, oldest first; the super admin sees those too whose credential is gone."""
        return [made for made in self._living() if self._sees(by, made.client_id)]

    async def delete_token(self, by: Credential, number: int) -> Ended:
        """End a token. Raises `MissingThing`."""
        async with self._changing:
            row = self._made.get(number)
            if row is None or not self._sees(by, row.client_id) or self._alive(row.token) is None:
                raise MissingThing("id", "Token not found")
            await self._tokens.revoke(row.token)
            await self._forget([number])
        return self._ended(row)

    def sharing(self, token: str) -> list[str]:
        """The ids of the tokens that use the same devices as this one, itself first; those too that have expired."""
        identity = next((row.identity for row in self._made.values() if row.token == token), None)
        return [token, *(row.token for row in self._made.values() if row.identity == identity and row.token != token)]

    def is_gateway_token(self, token: str | None) -> bool:
        """Whether a credential has made it."""
        return any(row.token == token for row in self._made.values())

    async def grant(self, token: str, account: str) -> Sequence[str] | None:
        """Let a token use an account that was linked with it; gives the accounts that it may use, `None` = all."""
        async with self._changing:
            living = self._alive(token)
            if living is not None and living.accounts is not None and account not in living.accounts:
                await self._tokens.change(token, accounts=[*living.accounts, account])
        granted = self._tokens.get(token)
        return granted.accounts if granted is not None else None

    async def withdraw(self, account: str) -> Mapping[str, Sequence[str]]:
        """Let no token use an account that is not here any more; gives the accounts that are left, by token."""
        changed: dict[str, Sequence[str]] = {}
        async with self._changing:
            for made in self._living():
                accounts = made.token.accounts
                if accounts is not None and account in accounts:
                    left = changed[made.token.id] = [other for other in accounts if other != account]
                    await self._tokens.change(made.token.id, accounts=left)
        return changed

    # ---------------------------------------------------------------------------------------------------------------------

    def _meant(self, client_id: str) -> Credential:
        found = self._credentials.get(client_id)
        if found is None:
            raise MissingThing("client_id", "Credential not found")
        return found

    def _rows(self, client_id: str) -> list[GatewayTokenRow]:
        return [row for row in self._made.values() if row.client_id == client_id]

    def _sees(self, by: Credential, client_id: str) -> bool:
        return client_id == by.client_id or (by.is_super_admin and client_id not in self._credentials)

    def _ended(self, row: GatewayTokenRow) -> Ended:
        return Ended(row.token, next((made.token.id for made in self._living() if made.identity == row.identity), None))

    def _alive(self, token: str) -> Token | None:
        found = self._tokens.get(token)
        return found if found is not None and not found.ended(now_ms()) else None

    def _living(self) -> list[GatewayToken]:
        living = []
        for row in self._made.values():
            token = self._alive(row.token)
            if token is not None:
                living.append(
                    GatewayToken(
                        number=row.number,
                        token=token,
                        client_id=row.client_id,
                        identity=row.identity,
                        is_host=bool(row.is_host),
                        is_admin=bool(row.is_admin),
                        updated_at=row.updated_at,
                    )
                )
        return living

    async def _keep(self, credential: Credential) -> None:
        row = CredentialRow(
            credential.client_id, credential.token, " ".join(credential.scopes), credential.description, credential.active,
            credential.created_at, credential.updated_at,
        )  # fmt: skip
        await self._table.keep(row)
        self._credentials[credential.client_id] = credential

    async def _new_secret(self, credential: Credential) -> str:
        """Another secret; a new token too, where the old one was revoked by other ways."""
        if credential.token is not None and (secret := await self._tokens.rotate(credential.token)) is not None:
            return secret
        new = NewToken(name=f"gateway credential {credential.client_id}"[:100], scopes=[Scope.GATEWAY])
        token, secret = await self._tokens.create(new)
        await self._keep(msgspec.structs.replace(credential, token=token.id))
        return secret

    async def _forget(self, numbers: Sequence[int]) -> None:
        await self._table.delete_tokens(numbers)
        for number in numbers:
            self._made.pop(number, None)


def _credential_of(row: CredentialRow) -> Credential:
    return Credential(
        client_id=row.client_id,
        token=row.token,
        scopes=tuple(row.scopes.split()),
        description=row.description,
        active=bool(row.active),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _checked(scopes: Sequence[str]) -> tuple[str, ...]:
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise InvalidValue("scopes", f"scopes: '{scope[:100]}' is none; there are {', '.join(SCOPES)}")
    return tuple(dict.fromkeys(scopes))


def _check_description(text: str) -> None:
    if len(text) > _LONGEST:
        raise InvalidValue("description", f"description: {_LONGEST} characters at most")


def _check_reach(by: Credential, scopes: Sequence[str]) -> None:
    """Nobody gives away, or takes over, more than they have."""
    if not all(by.may(scope) for scope in scopes):
        raise Denied("insufficient permissions")
