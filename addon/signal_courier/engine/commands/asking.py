"""How a command is put to signal-cli, and what its answer means."""

import contextlib
import typing
from collections.abc import Mapping, Sequence

import msgspec

from signal_courier.engine import versions
from signal_courier.engine.answers import Version
from signal_courier.engine.base import AccountState, Engine, Json
from signal_courier.engine.errors import AccountUnknown, AccountUnlinked, EngineFault, Unsupported, needs_version

type Strings = Sequence[str]

_version = msgspec.json.Decoder(Version)


class Asking:
    """What all commands share: only what was given is sent, and only to a signal-cli that knows it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def version(self) -> str:
        """Version of the running signal-cli."""
        return (await self._ask("version", _version)).version

    async def _ask[T](self, method: str, decoder: msgspec.json.Decoder[T], **given: Json) -> T:
        return decode(method, await self._call(method, given), decoder)

    async def _do(self, method: str, **given: Json) -> None:
        await self._call(method, given)

    async def _call(self, method: str, given: Mapping[str, Json]) -> msgspec.Raw:
        params = {name: value for name, value in given.items() if value is not None}
        if method in versions.METHODS or method in versions.PARAMETERS:
            await self._check_version(method, params)
        try:
            return await self._ask_engine(method, params)
        except Unsupported as refusal:
            running = self._engine.status.version
            if (since := versions.METHODS.get(method)) and (running is None or versions.is_older(running, since)):
                raise needs_version(method, since, running) from refusal
            raise Unsupported(
                f"This signal-cli daemon does not offer {method}: it may serve one account only, or be another program", code=refusal.code
            ) from refusal

    async def _ask_engine(self, method: str, params: Mapping[str, Json]) -> msgspec.Raw:
        try:
            return await self._engine.call(method, params)
        except AccountUnknown as refusal:  # signal-cli says the same of an account that its phone has removed
            account = params.get("account")
            if isinstance(account, str) and self._engine.status.accounts.get(account) is AccountState.UNLINKED:
                raise AccountUnlinked(refusal.message, code=refusal.code, response=refusal.response) from refusal
            raise

    async def _check_version(self, method: str, params: Mapping[str, Json]) -> None:
        """Raise `Unsupported` for what the running version lacks; old ones would ignore an unknown parameter without a word."""
        needs = [(method, since)] if (since := versions.METHODS.get(method)) else []
        later = versions.PARAMETERS.get(method, {})
        needs += [(f"{name} of {method}", later[name]) for name in params if name in later]
        if not needs:
            return
        running = self._engine.status.version or await self.version()
        for what, needed in needs:
            if versions.is_older(running, needed):
                raise needs_version(what, needed, running)


def to(recipient: Strings, group_id: Strings, username: Strings, note_to_self: bool = False, notify_self: bool = False) -> dict[str, Json]:
    """The parameters by which most commands are told whom they are for."""
    return {
        "recipient": recipient or None,
        "groupId": group_id or None,
        "username": username or None,
        "noteToSelf": note_to_self or None,
        "notifySelf": notify_self or None,
    }


def decode[T](method: str, answer: msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """What signal-cli answered, as a type; raises `EngineFault` where it has another shape."""
    try:
        return decoder.decode(answer)
    except msgspec.MsgspecError as error:
        with contextlib.suppress(msgspec.MsgspecError):
            return _convert_without_nulls(answer, decoder.type)
        raise EngineFault(f"signal-cli answered {method} in a form that nobody knows: {error}") from error


def _convert_without_nulls[T](answer: msgspec.Raw, type_: type[T]) -> T:
    """Read an answer as if what is null had been left out: what was done is not to look undone for want of a list of results."""
    given = _without_nulls(msgspec.json.decode(answer))
    if given is None:
        given = [] if typing.get_origin(type_) is list else {}
    return msgspec.convert(given, type_)


def _without_nulls(given: object) -> object:
    if isinstance(given, dict):
        return {key: _without_nulls(value) for key, value in given.items() if value is not None}
    return [_without_nulls(value) for value in given if value is not None] if isinstance(given, list) else given
