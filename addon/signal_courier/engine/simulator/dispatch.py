"""From a JSON-RPC call to the function that answers it: parameters are spelled, checked and refused as signal-cli does.

Every command is declared once, by decorating its function with `single`, `multi` or `registration`; the decorator names the
method and the struct of its parameters. Sources: signal-cli's `JsonRpcNamespace` and `SignalJsonRpcCommandHandler`.
"""

import enum
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, cast, get_origin

import msgspec

from signal_courier.engine.base import Json, Params
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Refusal,
    null_pointer,
)
from signal_courier.engine.simulator.state import Account

type Long = Annotated[int, msgspec.Meta(ge=1 << 31, le=(1 << 63) - 1)]
"""A Java long: signal-cli takes a smaller number for an Integer and fails."""
type Integer = Annotated[int, msgspec.Meta(ge=-(1 << 31), lt=1 << 31)]
"""A Java int."""

type Result = Json | Awaitable[Json]


class NoParams(msgspec.Struct):
    """Parameters of a command that takes none."""


class Kind(enum.Enum):
    """How signal-cli reads a parameter."""

    TEXT = "text"
    """Takes numbers and booleans too, as their text."""
    LIST = "list"
    """Takes a single value too, and the plural of its name."""
    OTHER = "other"


@dataclass(frozen=True)
class _Command:
    params: type[msgspec.Struct]
    fields: Mapping[str, "Kind"]
    """Accepted keys."""
    required: tuple[str, ...]
    strict: bool


@dataclass(frozen=True)
class Single(_Command):
    """A command of one loaded account."""

    run: "Callable[[Network, Account, msgspec.Struct], Result]"


@dataclass(frozen=True)
class Multi(_Command):
    """A command of the whole daemon."""

    run: "Callable[[Network, msgspec.Struct], Result]"


@dataclass(frozen=True)
class Registering(_Command):
    """A command of a number that need not be registered."""

    run: "Callable[[Network, str, msgspec.Struct], Result]"


COMMANDS: dict[str, Single | Multi | Registering] = {}
"""Every method of signal-cli's JSON-RPC."""


def single[P: msgspec.Struct](
    method: str, params: type[P]
) -> "Callable[[Callable[[Network, Account, P], Result]], Callable[[Network, Account, P], Result]]":
    """Declare a command of one account."""

    def declare(run: "Callable[[Network, Account, P], Result]") -> "Callable[[Network, Account, P], Result]":
        plain = cast("Callable[[Network, Account, msgspec.Struct], Result]", run)
        COMMANDS[method] = Single(*_shape(params), run=plain)
        return run

    return declare


def multi[P: msgspec.Struct](method: str, params: type[P]) -> "Callable[[Callable[[Network, P], Result]], Callable[[Network, P], Result]]":
    """Declare a command that needs no account."""

    def declare(run: "Callable[[Network, P], Result]") -> "Callable[[Network, P], Result]":
        COMMANDS[method] = Multi(*_shape(params), run=cast("Callable[[Network, msgspec.Struct], Result]", run))
        return run

    return declare


def registration[P: msgspec.Struct](
    method: str, params: type[P]
) -> "Callable[[Callable[[Network, str, P], Result]], Callable[[Network, str, P], Result]]":
    """Declare a command of a number that need not be an account yet."""

    def declare(run: "Callable[[Network, str, P], Result]") -> "Callable[[Network, str, P], Result]":
        COMMANDS[method] = Registering(*_shape(params), run=cast("Callable[[Network, str, msgspec.Struct], Result]", run))
        return run

    return declare


async def perform(network: Network, method: str, params: Params) -> Json:
    """Answer one call.

    Raises:
        Refusal: signal-cli would have answered with an error.
    """
    command = COMMANDS.get(method)
    if command is None:
        raise Refusal(METHOD_NOT_FOUND, "Method not implemented")
    given = {key: value for key, value in params.items() if value is not None}
    account = given.pop("account", None)
    match command:
        case Single():
            result = command.run(network, _loaded(network, account), _decode(command, given))
        case Registering():
            if account is None:
                raise Refusal(INVALID_PARAMS, "Method requires account parameter")
            result = command.run(network, str(account), _decode(command, given))
        case Multi():
            result = command.run(network, _decode(command, given))
    return await result if inspect.isawaitable(result) else result


def _loaded(network: Network, account: Json) -> Account:
    loaded = [candidate for candidate in network.world.accounts.values() if candidate.loaded]
    if account is None:
        if len(loaded) == 1:
            return loaded[0]
        raise Refusal(INVALID_PARAMS, "Method requires valid account parameter")
    for candidate in loaded:
        if account in {candidate.number, candidate.uuid}:
            return candidate
    raise Refusal(INVALID_PARAMS, "Specified account does not exist")


def _shape(params: type[msgspec.Struct]) -> tuple[type[msgspec.Struct], Mapping[str, Kind], tuple[str, ...], bool]:
    fields = msgspec.structs.fields(params)
    required = tuple(field.encode_name for field in fields if field.required)
    return params, {field.encode_name: _kind(field.type) for field in fields}, required, params.__struct_config__.forbid_unknown_fields


def _kind(annotation: object) -> Kind:
    if get_origin(annotation) is list:
        return Kind.LIST
    return Kind.TEXT if annotation in {str, str | None} else Kind.OTHER


def _decode(command: _Command, given: Mapping[str, Json]) -> msgspec.Struct:
    values: dict[str, Json] = {}
    for key, value in given.items():
        name = _camel(key)
        if name not in command.fields and name.endswith("s") and command.fields.get(name[:-1]) is Kind.LIST:
            name = name[:-1]
        match command.fields.get(name):
            case None if command.strict:
                raise Refusal(INVALID_REQUEST, f'Unrecognized field "{key}"')
            case None:
                pass
            case Kind.LIST:
                before = values.get(name, ())
                values[name] = [*(before if isinstance(before, list) else ()), *(value if isinstance(value, list | tuple) else (value,))]
            case Kind.TEXT if isinstance(value, bool | int | float):
                values[name] = str(value).lower() if isinstance(value, bool) else str(value)
            case _:
                values[name] = value
    for name in command.required:
        if name not in values:
            raise null_pointer(name)
    try:
        return msgspec.convert(values, command.params)
    except msgspec.ValidationError as error:
        raise Refusal(INTERNAL_ERROR, f"{error} (ClassCastException)") from error


def _camel(key: str) -> str:
    head, *rest = key.split("-")
    return head + "".join(part.capitalize() for part in rest)
