"""Backend calls as signal-cli reads them: many spellings mean the same."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from tests.service.golden.recordings import BackendCall

READ_ONLY = frozenset(
    {"version", "listAccounts", "listGroups", "listContacts", "listIdentities", "listDevices", "listStickerPacks", "getUserStatus"}
    | {"getAvatar", "getAttachment", "getSticker", "subscribeReceive", "unsubscribeReceive"}
)
"""Methods that change nothing and reach nobody: they may be called more or less often than upstream does."""

_MADE_UP_NAME = re.compile(r"(<uuid>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.\w+)?")

type Reading = tuple[str, dict[str, list[Any]]]


def as_read(call: BackendCall) -> Reading:
    """Method and parameters: camelCase, singular, always a list, without what is null, false or empty; files by name and content."""
    read: dict[str, list[Any]] = {}
    for key, given in call.params.items():
        values = [_file_or_value(value, call.files) for value in (given if isinstance(given, list) else [given])]
        if given is None or given is False or not values:
            continue
        name = _camel_case(key)
        name = name.removesuffix("s")
        if name == "recipient" and all(isinstance(value, str) and value.startswith("u:") for value in values):
            name, values = "username", [value.removeprefix("u:") for value in values]
        read[name] = values
    return call.method, read


def changing(calls: Iterable[BackendCall]) -> list[Reading]:
    """The calls that send or change something, in a fixed order (of calls that run side by side the order means nothing)."""
    return sorted((as_read(call) for call in calls if call.method not in READ_ONLY), key=repr)


def _camel_case(key: str) -> str:
    first, *others = key.split("-")
    return first + "".join(word.title() for word in others)


def _file_or_value(value: Any, files: Mapping[str, str]) -> Any:
    if not isinstance(value, str) or value not in files:
        return value
    name = PurePosixPath(value).name
    made_up = _MADE_UP_NAME.fullmatch(name)
    return {"name": None if made_up else name, "extension": PurePosixPath(name).suffix, "content": files[value]}
