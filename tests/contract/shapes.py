"""The shape of JSON: which members, in which order, of which type. Two shapes are compared with what the versions differ in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

type Decoded = Any
"""Decoded JSON."""

NULLABLE = frozenset({
    "number", "sourceNumber", "targetAuthorNumber", "authorNumber", "destinationNumber", "senderNumber", "destination", "destinationUuid",
    "message", "filename", "width", "height", "image", "name", "familyName", "about", "aboutEmoji", "groupInviteLink", "description",
    "givenName", "mobileCoinAddress", "note", "username", "uuid", "scannableSafetyNumber", "profile", "title", "author", "cover",
    "nickName", "nickGivenName", "nickFamilyName", "color", "contentType",
})  # fmt: skip
"""Members that are null or not, as people have them: a number that is hidden, a file without a name."""

LATER = frozenset({"isExpirationUpdate", "isArchived", "isAdmin"})
"""Members that signal-cli 0.14 has and 0.13.19 has not."""

UNORDERED = frozenset({"timestamp", "results", "groupId", "onlyRequested"})
"""Members of answers that signal-cli puts into a hash map: their order means nothing."""


def shape(value: Decoded) -> Decoded:
    """Replace every value with the name of its type; a list becomes the shape of its first entry."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return {key: shape(inner) for key, inner in value.items()}
        case Sequence():
            return [shape(value[0])] if value else []
    raise TypeError(f"{value!r} is no JSON")


def differences(real: Decoded, simulated: Decoded, where: str = "", *, ordered: bool = True) -> Iterator[str]:
    """What the simulated shape has otherwise than the real one; `ordered`: the order of members counts."""
    if isinstance(real, Mapping) and isinstance(simulated, Mapping):
        known = [key for key in simulated if key in real or key not in LATER]
        if set(known) != set(real):
            yield f"{where}: has {sorted(set(known) - set(real))}, lacks {sorted(set(real) - set(known))}"
        elif ordered and known != list(real) and not set(real) <= UNORDERED:
            yield f"{where}: in the order {known}, not {list(real)}"
        for key in real:
            if key in simulated:
                yield from differences(real[key], simulated[key], f"{where}.{key}", ordered=ordered)
    elif isinstance(real, list) and isinstance(simulated, list):
        if real and simulated:
            yield from differences(real[0], simulated[0], f"{where}[]", ordered=ordered)
    elif real != simulated and not ("null" in {repr_of(real), repr_of(simulated)} and where.rpartition(".")[2] in NULLABLE):
        yield f"{where}: is {repr_of(simulated)}, not {repr_of(real)}"


def repr_of(kind: Decoded) -> str:
    """A type by name."""
    return kind if isinstance(kind, str) else "list" if isinstance(kind, list) else "object"
