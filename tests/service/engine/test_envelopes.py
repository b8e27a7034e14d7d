"""What signal-cli reports → events: every kind that was ever recorded, whole or broken."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_courier.engine.reports.envelopes import EnvelopeReader, resolve_mentions
from signal_courier.model.events import Event, EventType, MentionedPerson, Person, TextStyle

ENVELOPES = Path(__file__).parents[2] / "data" / "envelopes"
ANN, BEN = "+4915100000001", "+4915100000002"
ANN_UUID, BEN_UUID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
GROUP = "0W5JZwUNJbYTjHA44GSBP/M39EhJbsOro8bdchaAs9M="
MEMBERS = ("message", "edit", "delete", "reaction", "receipt", "typing", "poll", "group", "call", "account_change")
KINDS = {
    "message message": """
        real/attachment-view-once real/attachment-without-name real/attachment real/group-mention
        real/group-text-second-member real/group-text real/long-text real/mention real/payment real/preview real/quote
        real/sticker real/story-reply real/text-after-end-session real/text-second-account real/text-styles
        real/text-with-expiration real/text composed/attachment-image composed/preview-with-image
        composed/quote-with-thumbnail composed/shared-contact composed/story-file composed/story-text
    """,
    "edit message edit": """
        real/edit
    """,
    "": """
        real/end-session real/expiration-off real/sync-answer-3-empty real/sync-answer-4-empty real/sync-block-1
        real/sync-config real/sync-message-request real/sync-unblock-1 composed/call-ice composed/sync-empty
    """,
    "account account_change": """
        real/exception-invalid-version real/exception-untrusted-identity real/sync-answer-1-contacts
        real/sync-answer-2-blocked real/sync-block-2 real/sync-contacts real/sync-unblock-2 composed/exception-only
        composed/sync-groups
    """,
    "group group": """
        real/expiration-update real/group-update-admin real/group-update-approved real/group-update-created
        real/group-update-demoted real/group-update-joined real/group-update-link-1 real/group-update-link-2
        real/group-update-link-approval real/group-update-quit real/group-update-renamed real/group-update-settings-1
        real/group-update-settings-2 real/group-update-settings-3 real/group-update-settings-4 real/group-update-unadmin
        composed/expiration-update composed/pin-message composed/unpin-message
    """,
    "reaction reaction": """
        real/group-reaction real/reaction-remove real/reaction
    """,
    "typing typing": """
        real/group-typing real/typing-started real/typing-stopped composed/typing-group
    """,
    "receipt receipt": """
        real/receipt-read real/receipt-server real/receipt-viewed
    """,
    "delete delete": """
        real/remote-delete composed/admin-delete
    """,
    "sent message": """
        real/sync-note-to-self real/sync-sent-attachment real/sync-sent-text composed/sync-sent-group
        composed/sync-sent-story
    """,
    "sent receipt": """
        real/sync-read
    """,
    "sent delete": """
        real/sync-sent-delete
    """,
    "sent message edit": """
        real/sync-sent-edit
    """,
    "sent reaction": """
        real/sync-sent-reaction
    """,
    "call call": """
        composed/call-answer composed/call-busy composed/call-hangup composed/call-offer
    """,
    "poll poll": """
        composed/poll-create composed/poll-terminate composed/poll-vote
    """,
}
"""Files, by the type of their event and the members that it fills; the first ones say nothing to anybody."""
WRAPPED = {"notification-auto", "notification-subscribed", "notification-call-event", "call-event-params"}
"""These show how signal-cli wraps what it reports; the engine unwraps it."""


class Contacts:
    """Knows Ben and the group."""

    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        return Person(uuid=BEN_UUID, number=BEN, name="Ben") if uuid == BEN_UUID or number == BEN else None

    def group(self, account: str, internal_id: str) -> str | None:
        return "Family" if internal_id == GROUP else None


read = EnvelopeReader(Contacts())


def recorded(name: str) -> bytes:
    return (ENVELOPES / f"{name}.json").read_bytes()


def event_of(name: str) -> Any:
    event = read(1, recorded(name))
    assert event is not None
    return event


def test_every_recorded_kind_is_in_the_table() -> None:
    files = {f"{path.parent.name}/{path.stem}" for folder in ("real", "composed") for path in (ENVELOPES / folder).glob("*.json")}
    assert files - {f"composed/{name}" for name in WRAPPED} == {name for names in KINDS.values() for name in names.split()}


@pytest.mark.parametrize("name,kind", [(name, kind) for kind, names in KINDS.items() for name in names.split()])
def test_every_kind_becomes_its_event(name: str, kind: str) -> None:
    event = read(7, recorded(name))
    if not kind:
        assert event is None
        return
    assert event is not None
    type_, *members = kind.split()
    assert (event.id, event.type) == (7, EventType(type_))
    assert [member for member in MEMBERS if getattr(event, member) is not None] == members
    assert event.account in (ANN, BEN)
    assert event.time > 1_795_000_000_000
    written = msgspec.json.encode(event)
    assert msgspec.json.encode(msgspec.json.decode(written, type=Event)) == written


def test_names_and_numbers_come_from_the_contacts_where_the_envelope_has_none() -> None:
    assert event_of("real/text-second-account").sender == msgspec.convert(
        {"uuid": BEN_UUID, "number": BEN, "name": "Ben", "device": 1}, type(event_of("real/text").sender)
    )
    assert event_of("real/text").sender.name is None
    assert event_of("real/group-typing").conversation.name == "Family"
    assert event_of("real/group-text").conversation.name == "My Group"


def test_a_mention_stands_in_the_text_by_its_name() -> None:
    content = event_of("real/mention").message
    assert content.text == "hi @Ben there"
    assert [(one.start, one.length, one.name, one.uuid) for one in content.mentions] == [(3, 4, "Ben", BEN_UUID)]


def test_styles_move_with_the_names_counted_as_signal_counts() -> None:
    text = "\U0001f600 \ufffc and \ufffc!"  # the emoji has two units
    people = [MentionedPerson(name="Ben", start=3, length=1), MentionedPerson(number=ANN, start=9, length=1)]
    styles = [TextStyle(0, 2, "BOLD"), TextStyle(3, 1, "ITALIC"), TextStyle(10, 1, "SPOILER")]
    resolved, moved, placed = resolve_mentions(text, styles, people)
    assert resolved == f"\U0001f600 @Ben and @{ANN}!"
    spans: list[TextStyle | MentionedPerson] = [*moved, *placed]
    cut = [resolved.encode("utf-16-le")[2 * one.start : 2 * (one.start + one.length)].decode("utf-16-le") for one in spans]
    assert cut == ["\U0001f600", "@Ben", "!", "@Ben", f"@{ANN}"]


def test_what_the_own_phone_sent_says_where_to() -> None:
    assert event_of("real/sync-note-to-self").conversation.kind == "self"
    assert event_of("real/sync-sent-text").conversation.id == BEN_UUID
    assert event_of("composed/sync-sent-group").conversation.kind == "group"


def test_a_changed_safety_number_is_told_with_whose_it_is() -> None:
    event = event_of("real/exception-untrusted-identity")
    assert event.account_change.change == "identity"
    assert event.sender.uuid == "33333333-3333-4333-8333-333333333333"


def test_a_long_text_that_was_cut_says_so() -> None:
    assert event_of("real/long-text").message.truncated


@settings(max_examples=300)
@given(
    name=st.sampled_from([name for names in KINDS.values() for name in names.split()]),
    at=st.integers(0, 10_000),
    value=st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.text(max_size=5), st.lists(st.none(), max_size=2)),
)
def test_whatever_is_wrong_with_an_envelope_nothing_is_raised(name: str, at: int, value: object) -> None:
    whole = msgspec.json.decode(recorded(name))
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [whole]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else list(range(len(one)))
        places += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], dict | list)]
    holder, key = places[at % len(places)]
    holder[key] = value
    event = read(1, msgspec.json.encode(whole))
    assert event is None or msgspec.json.encode(event)
