"""The members of envelopes, in the order and with the names of signal-cli's record classes (`Json*.java`, 0.14.6)."""

from collections.abc import Mapping

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.state import Group, Person

_ORDER = (
    "reaction", "quote", "payment", "mentions", "previews", "attachments", "sticker", "remoteDelete", "contacts", "pollCreate", "pollVote",
    "pollTerminate", "textStyles", "groupInfo", "storyContext", "pinMessage", "unpinMessage", "adminDelete",
)  # fmt: skip


def data_message(
    timestamp: int,
    message: str | None,
    group: Group | None,
    parts: Mapping[str, Json],
    *,
    expires: int = 0,
    view_once: bool = False,
    expiration_update: bool = False,
    group_update: bool = False,
) -> dict[str, Json]:
    """A `dataMessage`; `parts` are its optional members, those that are `None` are left out."""
    made: dict[str, Json] = {
        "timestamp": timestamp,
        "message": message,
        "expiresInSeconds": expires,
        "isExpirationUpdate": expiration_update,
        "viewOnce": view_once,
    }
    optional = dict(parts)
    if group is not None:
        optional["groupInfo"] = {
            "groupId": group.id,
            "groupName": group.name,
            "revision": group.revision,
            "type": "UPDATE" if group_update else "DELIVER",
        }
    made.update((key, optional[key]) for key in _ORDER if optional.get(key) is not None)
    return made


def author(prefix: str, person: Person) -> dict[str, Json]:
    """The three members that name somebody: `targetAuthor`, `targetAuthorNumber`, `targetAuthorUuid` for the prefix `targetAuthor`."""
    return {prefix: person.address, f"{prefix}Number": person.number, f"{prefix}Uuid": person.uuid or None}


def receipt(when: int, kind: str, timestamps: list[int]) -> dict[str, Json]:
    """A `receiptMessage`; `kind` is delivery, read or viewed."""
    return {
        "receiptMessage": {
            "when": when,
            "isDelivery": kind == "delivery",
            "isRead": kind == "read",
            "isViewed": kind == "viewed",
            "timestamps": timestamps,
        }
    }


def typing(timestamp: int, group: Group | None, *, started: bool) -> dict[str, Json]:
    """A `typingMessage`."""
    made: dict[str, Json] = {"action": "STARTED" if started else "STOPPED", "timestamp": timestamp}
    if group is not None:
        made["groupId"] = group.id
    return {"typingMessage": made}
