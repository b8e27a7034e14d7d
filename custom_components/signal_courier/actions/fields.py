"""The fields that many actions share, declared once."""

from collections.abc import Mapping
from typing import Any, Final

import probatio
from homeassistant.helpers import config_validation as cv

from ..happenings.filter import plain_text


def target(value: object) -> str | int:
    """Somebody or a group, as a user names them. An integer was a number before a template took its `+`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise probatio.Invalid("a name, a number or an id is needed")
    if isinstance(value, str) and not value.strip():
        raise probatio.Invalid("it is empty")
    return value


def seconds(value: object) -> float:
    """A time span (`00:01:30`, `{"minutes": 5}` or seconds) in seconds."""
    return cv.positive_time_period(value).total_seconds()


TARGETS: Final = probatio.All(cv.ensure_list, [target])
TEXTS: Final = probatio.All(cv.ensure_list, [plain_text])
TIMESTAMP: Final = probatio.All(probatio.Coerce(int), probatio.Range(min=1))

ACCOUNT_FIELDS: Final[Mapping[Any, Any]] = {probatio.Optional("config_entry_id"): cv.string}
"""Whose account acts."""
CONVERSATION_FIELDS: Final[Mapping[Any, Any]] = {
    **ACCOUNT_FIELDS,
    probatio.Optional("entity_id"): cv.entity_ids,
    probatio.Optional("conversation"): TARGETS,
}
"""Where it happens: entities of conversations, or names, numbers, usernames and ids."""
MESSAGE_FIELDS: Final[Mapping[Any, Any]] = {
    **CONVERSATION_FIELDS,
    probatio.Optional("handle"): cv.string,
    probatio.Optional("timestamp"): TIMESTAMP,
    probatio.Optional("author"): target,
}
"""What it is about: the handle of a message; or its conversation, timestamp and (unless it is an own one) author."""
