"""Recipients: what a text names, and what is no recipient."""

import base64
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import (
    Aci,
    GroupId,
    Number,
    Pni,
    Recipient,
    Username,
    from_query,
    parse_group_id,
    parse_number,
    parse_recipient,
)
from tests.service.golden.deviations import RESOLVED_RECIPIENTS

DATA = Path(__file__).parents[2] / "data" / "inputs.json"
CASES = json.loads(DATA.read_text())["recipient_cases"]

INTERNAL = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
EXTERNAL = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
UUID = "11111111-1111-4111-8111-111111111111"


def _as_recorded(recipient: Recipient) -> tuple[str, object]:
    match recipient:
        case Username(name):
            return "username", [name]
        case GroupId(internal):
            return "group-id", internal
        case _:
            return "recipient", [str(recipient)]


@pytest.mark.parametrize("case", [case for case in CASES if case["input"] not in RESOLVED_RECIPIENTS], ids=lambda case: case["input"])
def test_a_recorded_recipient_goes_where_it_went(case: dict[str, object]) -> None:
    text = str(case["input"])
    if case["status"] == 400:
        with pytest.raises(InvalidValue) as caught:
            parse_recipient(text)
        assert str(caught.value) == case["error"]
    else:
        assert _as_recorded(parse_recipient(text)) == (case["goes_to"], case["value"])


@pytest.mark.parametrize("text, expected", RESOLVED_RECIPIENTS.items())
def test_what_upstream_sent_to_nobody_is_resolved_or_refused(text: str, expected: Recipient | None) -> None:
    assert any(case["input"] == text for case in CASES)
    if expected is None:
        with pytest.raises(InvalidValue, match="recipients: must not be empty"):
            parse_recipient(text, field="recipients")
    else:
        assert parse_recipient(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("+49 (151) 000-00001", Number("+4915100000001")),
        ("+49.151/00000001", Number("+4915100000001")),
        ("\u202a+49\u00a0151\u201100000001\u202c", Number("+4915100000001")),
        ("  +4915100000001\n", Number("+4915100000001")),
        ("+1", Number("+1")),
        ("49 151 000-00001", Number("+4915100000001")),
        ("https://signal.me/#p/+4915100000001", Number("+4915100000001")),
        (UUID.upper().replace("1", "A", 1), Aci("a" + UUID[1:])),
        (UUID.replace("-", ""), Aci(UUID)),
        (f"uuid:{UUID}", Aci(UUID)),
        (f"pni:{UUID.upper()}", Pni(UUID)),
        ("_ab.07", Username("_ab.07")),
        ("u:group.1234", Username("group.1234")),
        (" test.42 ", Username("test.42")),
        ("U:test.42", Username("test.42")),
        ("https://signal.me/#eu/" + "aB-_" * 16, Username("https://signal.me/#eu/" + "aB-_" * 16)),
        (INTERNAL.rstrip("="), GroupId(INTERNAL)),
        (INTERNAL.replace("+", "-"), GroupId(INTERNAL)),
        (f"group.{INTERNAL}", GroupId(INTERNAL)),
        (EXTERNAL.removeprefix("group."), GroupId(INTERNAL)),
    ],
)
def test_every_spelling_of_a_recipient_is_understood(text: str, expected: Recipient) -> None:
    assert parse_recipient(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "--attachment",
        "-a",
        "--foo.12",
        "+",
        "+49x151",
        "+49 151 --help",
        "12",
        "123456",
        "447700900123456789",
        "192.168.10.123",
        "2026/11/21",
        "test",
        "te.42",
        "test.4",
        "1test.42",
        "u:",
        "u:test",
        "u:--foo",
        "PNI:",
        "PNI:123",
        "uuid:123",
        "{11111111-1111-4111-8111-111111111111",
        INTERNAL + "AAAA",
        "QUJD",
        "group.ä",
        "+٤٩١٥١",
        "x" * 10_000,
        "+" + "1" * 10_000,
        "\x00",
        "../../etc/passwd",
    ],
)
def test_what_is_no_recipient_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_recipient(text, field="recipients")
    assert caught.value.field == "recipients"
    assert "recipients: " in caught.value.message or caught.value.message.startswith("Invalid identifier group.")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("text", [INTERNAL, EXTERNAL, EXTERNAL.removeprefix("group."), f"group.{INTERNAL}", INTERNAL.replace("+", "-")])
def test_a_group_id_is_known_in_every_form(text: str) -> None:
    group = parse_group_id(text)
    assert group == GroupId(INTERNAL)
    assert group.external == EXTERNAL


@pytest.mark.parametrize("text", ["", "group.", "x", "group.1234", UUID, "+4915100000001", "A" * 60, "é" * 44, "../" * 20])
def test_what_is_no_group_id_gets_upstreams_text(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^Invalid group id$"):
        parse_group_id(text)


def test_an_account_number_is_not_held_to_its_countrys_rules() -> None:
    assert parse_number("+4915100000001") == Number("+4915100000001")
    assert parse_number("+2") == Number("+2")
    assert parse_number("4915100000001") == Number("+4915100000001")
    for text in ("", "x", "+", UUID, "--config", "12345"):
        with pytest.raises(InvalidValue, match="please provide a valid number"):
            parse_number(text)


def test_a_plus_that_a_query_turned_into_a_space_comes_back() -> None:
    assert from_query(" 4915100000001") == "+4915100000001"
    assert from_query("+4915100000001") == "+4915100000001"
    assert from_query("test.42") == "test.42"


def test_the_tables_of_phone_numbers_stay_unloaded_while_numbers_have_a_plus() -> None:
    script = (
        "import sys; from signal_courier.model.recipients import parse_recipient as p; p('+4915100000001'); p('test.42');"
        "sys.exit('phonenumbers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{2,31}\.[0-9]{2,9}", fullmatch=True)
_recipients: st.SearchStrategy[Recipient] = st.one_of(
    st.from_regex(r"\+[0-9]{1,15}", fullmatch=True).map(Number),
    st.uuids().map(lambda value: Aci(str(value))),
    st.uuids().map(lambda value: Pni(str(value))),
    _names.map(Username),
    st.binary(min_size=32, max_size=32).map(lambda raw: GroupId(base64.b64encode(raw).decode())),
)


@given(_recipients)
def test_a_recipient_written_out_is_read_back(recipient: Recipient) -> None:
    assert parse_recipient(str(recipient)) == recipient


@given(st.binary(min_size=32, max_size=32))
def test_every_group_id_is_read_from_either_alphabet_and_form(raw: bytes) -> None:
    group = GroupId(base64.b64encode(raw).decode())
    url_safe = base64.urlsafe_b64encode(raw).decode()
    assert "/" not in group.external
    assert "+" not in group.external
    for text in (group.internal, group.external, url_safe, url_safe.rstrip("="), group.external[6:].rstrip("=")):
        assert parse_recipient(text) == parse_group_id(text) == group


@given(st.text() | st.from_regex(r"(group\.|u:|PNI:|\+|-)?[A-Za-z0-9+/=._ -]{0,70}", fullmatch=True))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        recipient = parse_recipient(text)
    except InvalidValue:
        return
    assert not str(recipient).startswith("-")
    assert str(recipient).isascii()
    assert parse_recipient(str(recipient)) == recipient


def test_a_uuid_of_any_version_is_a_person() -> None:
    for value in (uuid.UUID(int=0), uuid.uuid1(), uuid.uuid4()):
        assert parse_recipient(str(value)) == Aci(str(value))
