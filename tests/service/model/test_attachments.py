"""Attachments: the three forms, safe names, types told from the first bytes."""

import base64
import json
import random
import string
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_courier.model.attachments import (
    HEAD,
    base64_fault,
    decode_base64,
    extension,
    file_name,
    parse_attachment,
    safe_name,
    split_header,
)
from signal_courier.model.errors import InvalidValue
from signal_courier.model.media import media_type

CASES = json.loads((Path(__file__).parents[2] / "data" / "inputs.json").read_text())["attachment_cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_recorded_attachment_is_read_as_it_was(case: dict[str, Any]) -> None:
    header, encoded = split_header(case["input"])
    assert bool(header) == case["has_metadata"]
    assert encoded == case["base64"]
    if case["base64_valid"]:
        attachment = parse_attachment(case["input"])
        assert attachment.data == base64.b64decode(case["base64"])
        assert (attachment.metadata.name, attachment.metadata.media_type) == (case["filename"], case["mime"])
    else:
        with pytest.raises(InvalidValue, match="illegal base64 data at input byte"):
            parse_attachment(case["input"])


@pytest.mark.parametrize(
    "text, offset",
    [
        ("!!!", 0),
        ("-_-_", 0),
        ("aGVs bG8=", 4),
        ("aGVsbG8", 4),
        ("aGVsbG", 4),
        ("aGVsb", 4),
        ("aGVsbG8=x", 8),
        ("aGVsbG8==", 8),
        ("aGVsbA==\nx", 9),
        ("aGVsbA=", 7),
        ("aGVsbA=\n", 8),
        ("aGVsbA=x", 6),
        ("aGVsb===", 5),
        ("=", 0),
        ("a=", 1),
        ("aGVs\nbG8\n", 6),
        ("aGVsbG8=aGVs", 8),
        ("aGVsé", 4),
        ("INVALIDMTIzNDU=", 15),
        ("base64,MTIzNDU=", 6),
    ],
)
def test_the_first_wrong_byte_is_named(text: str, offset: int) -> None:
    with pytest.raises(InvalidValue) as caught:
        decode_base64(text, field="base64_avatar")
    assert caught.value.message == f"illegal base64 data at input byte {offset}"
    assert caught.value.field == "base64_avatar"


@pytest.mark.parametrize("text", ["", "\r\n", "data:text/plain;base64,"])
def test_no_data_is_told_in_upstreams_words(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^The base64 data does not exist\.$"):
        parse_attachment(text)


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVs\nbG8=", "aGVsbG8\r\n=\r\n", "aGVsbG9="])
def test_line_ends_and_loose_last_bits_do_no_harm(text: str) -> None:
    assert decode_base64(text, field="x") == b"hello"


@given(st.binary(min_size=1), st.randoms(use_true_random=False))
def test_what_was_encoded_comes_out_wherever_lines_end(data: bytes, chance: random.Random) -> None:
    encoded = "".join(character + chance.choice(["", "", "\n", "\r\n"]) for character in base64.b64encode(data).decode())
    assert decode_base64(encoded, field="x") == data
    assert base64_fault(encoded.encode()) is None


@given(st.text(string.ascii_letters + "+/=\r\n -") | st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    fault = base64_fault(text.encode(errors="replace"))
    if fault is None and text.strip("\r\n"):
        decode_base64(text, field="x")
    else:
        with pytest.raises(InvalidValue, match=r"does not exist\.$" if fault is None else f"input byte {fault}$"):
            decode_base64(text, field="x")


@pytest.mark.parametrize(
    "name, safe",
    [
        ("a b.txt", "a b.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/", ""),
        ("..", ""),
        (".", ""),
        ("", ""),
        (".htaccess", "htaccess"),
        ("--attachment", "attachment"),
        ("-rf.txt", "rf.txt"),
        ("a\x00b\n\u202egpj.exe", "abgpj.exe"),
        ("Grüße 👋.png", "Grüße 👋.png"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("ä" * 200, "ä" * 127),
        ("a." + "b" * 300, "a." + "b" * 253),
        ("   . .. ", ""),
    ],
)
def test_a_name_stays_in_its_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text() | st.text(st.sampled_from([*"./\\-~ a\x00\n", "é", "👋", "\ud800"]), max_size=300))
def test_no_name_leaves_its_folder(name: str) -> None:
    chosen = file_name(name, b"")
    assert PurePosixPath(chosen).name == chosen
    assert chosen not in {"", ".", ".."}
    assert not chosen.startswith(("-", ".", "~"))
    assert len(chosen.encode()) <= 255
    assert all(ord(character) >= 32 for character in chosen)
    assert safe_name(chosen) == chosen


@pytest.mark.parametrize(
    "head, suffix",
    [
        (b"hello", ".txt"),
        ("Grüße\n".encode(), ".txt"),
        (b"\xff\xfeh\x00i\x00", ".txt"),
        (b'{"a": 1}', ".json"),
        (b"{no json}", ".txt"),
        (b'{"a": "' + b"b" * 4000, ".json"),
        (b'{"a": "' + b"b" * 100, ".txt"),
        (b'{"a": 1}\n{"a": 2}\n', ".ndjson"),
        (b"date,kWh\n2026-11-20,7.5\n2026-11-21,8\n", ".csv"),
        (b'a, "b, c"\n1, 2', ".csv"),
        (b"a,b\n1\n", ".txt"),
        (b"Hello, Ben\n", ".txt"),
        (b"date\tkWh\n2026-11-20\t7\n", ".tsv"),
        (b"<!DOCTYPE html><p>", ".html"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', ".svg"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", ".vcf"),
        (b"\x89PNG\r\n\x1a\n\x00", ".png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", ".jpg"),
        (b"GIF89a\x01\x00", ".gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", ".wav"),
        (b"\x00\x00\x00\x18ftypmp42", ".mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", ".m4a"),
        (b"\x00\x00\x00\x18ftypheic", ".heic"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x82\x84webm", ".webm"),
        (b"ID3\x03\x00", ".mp3"),
        (b"\xff\xfb\x90\x00\x00", ".mp3"),
        (b"\xff\xf1\x50\x80\x00", ".aac"),
        (b"OggS\x00\x02", ".ogg"),
        (b"%PDF-1.7\n", ".pdf"),
        (b"PK\x03\x04\x14\x00\x00\x00", ".zip"),
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xmlword/document.xml", ".docx"),
        (b"\x1f\x8b\x08", ".gz"),
        (b"\x00\x01\x02\x03", ""),
    ],
)
def test_a_file_without_a_name_gets_the_extension_of_its_kind(head: bytes, suffix: str) -> None:
    assert extension(head) == suffix
    name = file_name("", head)
    assert name.endswith(suffix)
    uuid.UUID(name.removesuffix(suffix))


@given(st.binary(max_size=64))
def test_any_bytes_have_an_extension_or_none(head: bytes) -> None:
    assert extension(head) == "" or extension(head).startswith(".")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"hello", "text/plain; charset=utf-8"),
        ("ä".encode() * 2000, "text/plain; charset=utf-8"),
        (b"x" * (HEAD - 1) + b"\xc3", "text/plain; charset=utf-8"),
        (b"h\xe9llo", "text/plain; charset=iso-8859-1"),
        (b"10 \x80", "text/plain; charset=windows-1252"),
        ("h".encode("utf-16"), "text/plain; charset=utf-16le"),
        (b"\xfe\xff\x00h", "text/plain; charset=utf-16be"),
        (b"a,b\n1,2\n", "text/csv"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_a_text_tells_how_it_is_encoded(head: bytes, kind: str) -> None:
    assert media_type(head) == kind
