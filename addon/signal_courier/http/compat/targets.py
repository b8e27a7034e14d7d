"""Whom a request means, in all the spellings that clients use."""

from collections.abc import Iterable

from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import GroupId, Recipient, parse_group_id, parse_recipient

NO_RECIPIENT = "Couldn't process request - please provide at least one recipient"
INVALID_GROUP = "Invalid group id"


def all_recipients(
    recipients: str | Iterable[str] | None, recipient: str | Iterable[str] | None, *groups: str | None, missing: str = NO_RECIPIENT
) -> list[Recipient]:
    """Everybody a send is for. Raises `InvalidValue` when that is nobody, or something cannot be a recipient."""
    found = [parse_recipient(text, field="recipients") for text in _listed(recipients)]
    found += [parse_recipient(text, field="recipient") for text in _listed(recipient)]
    found += [parse_group_id(text, field="group_id") for text in groups if text]
    if not found:
        raise InvalidValue("recipients", missing)
    return found


def one_recipient(recipient: str | None, *groups: str | None, bad_group: str | None = None) -> Recipient:
    """The conversation that something happens in; a group's own field wins over `recipient`. Raises `InvalidValue`.

    `bad_group`: what is said of a recipient that begins like the id of a group and is none; upstream's routes do not agree on it.
    """
    for group in groups:
        if group:
            return parse_group_id(group, field="group_id")
    if not recipient:
        raise missing("recipient")
    try:
        return parse_recipient(recipient)
    except InvalidValue:
        if bad_group is None or not recipient.startswith("group."):
            raise
        raise InvalidValue("recipient", bad_group) from None


def person(text: str | None, field: str) -> Recipient:
    """A single person. Raises `InvalidValue`."""
    if not text:
        raise missing(field)
    found = parse_recipient(text, field=field)
    if isinstance(found, GroupId):
        raise InvalidValue(field, f"{field}: '{text}' is a group, not a person")
    return found


def missing(field: str) -> InvalidValue:
    """The error for a field that must be there, in upstream's words."""
    return InvalidValue(field, f"Couldn't process request - {field} missing")


def _listed(given: str | Iterable[str] | None) -> Iterable[str]:
    if given is None or given == "":
        return ()
    return (given,) if isinstance(given, str) else given
