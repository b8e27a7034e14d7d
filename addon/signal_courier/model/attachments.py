"""What a file looks like on its way in: base64 with or without a data header, a name to be made safe, a type to be recognised.

The forms are those of the REST contract: `<base64>`, `data:<mime>;base64,<base64>`, `data:<mime>;filename=<name>;base64,<base64>`.
"""

import binascii
import csv
import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.model.errors import InvalidValue

MARKER: Final = "base64,"
HEAD: Final = 3072  # bytes; how much of a file it takes to recognise it
_LONGEST_NAME: Final = 255  # bytes of UTF-8, what Linux's file systems allow
_LONGEST_SUFFIX: Final = 20  # bytes of UTF-8

_ALPHABET: Final = re.compile(rb"[A-Za-z0-9+/\r\n]*+")
_NEWLINES: Final = re.compile(rb"[\r\n]*+")
_TEXT_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class Content:
    """The content of a file as a request brought it: `Inline` text, or an `Upload` that was decoded while it came in."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Inline(Content):
    """A short string: base64 in one of the three forms, or whatever else the field takes (an id, an address)."""

    text: str


@dataclass(frozen=True, slots=True)
class Upload(Content):
    """A long string, already decoded. The file belongs to the request and is gone when that is answered, unless it was moved away."""

    path: Path
    header: str
    """What stood before `base64,`; empty when there was none."""
    size: int
    """Bytes, decoded."""
    head: bytes
    """The first bytes, to recognise the type by."""

    @property
    def metadata(self) -> "Metadata":
        """What the header tells."""
        return Metadata.of(self.header)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a data header tells about its file; empty texts when it does not say."""

    media_type: str = ""
    name: str = ""

    @classmethod
    def of(cls, header: str) -> "Metadata":
        """Read `data:<mime>;filename=<name>;`; other items are ignored, the last of several counts."""
        media_type = name = ""
        for item in header[:-1].split(";"):
            if item.startswith("data:"):
                media_type = item.removeprefix("data:")
            elif item.startswith("filename="):
                name = item.removeprefix("filename=")
        return cls(media_type, name)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A decoded file: the bytes, and what the caller told about it."""

    data: bytes
    metadata: Metadata

    @property
    def file_name(self) -> str:
        """A name that is safe to use in a folder of its own."""
        return file_name(self.metadata.name, self.data[:HEAD])


def split_header(text: str) -> tuple[str, str]:
    """Divide a text into its data header (without `base64,`; empty when there is none) and the base64."""
    if "data:" not in text:
        return "", text
    header, marker, encoded = text.rpartition(MARKER)
    return (header, encoded) if marker else ("", text)


def parse_attachment(text: str, *, field: str = "base64_attachments") -> Attachment:
    """Decode an attachment in one of the three forms.

    Raises:
        InvalidValue: It is empty or not base64, in upstream's words.
    """
    header, encoded = split_header(text)
    return Attachment(decode_base64(encoded, field=field), Metadata.of(header))


def decode_base64(text: str | bytes, *, field: str) -> bytes:
    """Decode standard, padded base64; line ends are ignored.

    Raises:
        InvalidValue: It is empty, or not base64: with the offset of the first wrong byte, as Go's decoder counts it.
    """
    encoded = text.encode(errors="replace") if isinstance(text, str) else text
    joined = encoded.translate(None, b"\r\n") if b"\n" in encoded or b"\r" in encoded else encoded
    if not joined:
        raise InvalidValue(field, "The base64 data does not exist.")
    try:
        return binascii.a2b_base64(joined, strict_mode=True)
    except binascii.Error:
        fault = base64_fault(encoded)
        raise illegal_base64(field, fault if fault is not None else len(encoded)) from None


def illegal_base64(field: str, offset: int) -> InvalidValue:
    """The error for a wrong byte, in upstream's words."""
    return InvalidValue(field, f"illegal base64 data at input byte {offset}")


def base64_fault(data: bytes, *, base: int = 0, filled: int = 0) -> int | None:
    """Find the offset that Go's `base64.StdEncoding` reports for wrong data, `None` when all is right.

    Args:
        data: Base64 up to its end.
        base: Bytes that came before `data` and were right; added to the offset.
        filled: How many characters of an unfinished group of four came before.
    """
    match = _ALPHABET.match(data)
    at = match.end() if match else 0
    newlines = data.count(b"\n", 0, at) + data.count(b"\r", 0, at)
    filled = (filled + at - newlines) % 4
    if at == len(data):
        return base + len(data) - filled if filled else None
    if data[at : at + 1] != b"=" or filled < 2:
        return base + at
    at += 1
    if filled == 2:  # two characters are missing, so a second padding must follow
        at = _skip_newlines(data, at)
        if at == len(data):
            return base + at
        if data[at : at + 1] != b"=":
            return base + at - 1
        at += 1
    at = _skip_newlines(data, at)
    return None if at == len(data) else base + at


def _skip_newlines(data: bytes, at: int) -> int:
    match = _NEWLINES.match(data, at)
    return match.end() if match else at


def file_name(name: str, head: bytes) -> str:
    """The name for a file: the caller's, made safe, or a new one with the extension that its first bytes ask for."""
    return safe_name(name) or f"{uuid.uuid4()}{extension(head)}"


def safe_name(name: str) -> str:
    """Make a name safe for a folder: its last part only, nothing invisible, no leading dots or dashes, at most 255 bytes.

    Empty when nothing is left.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(character for character in last if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    bare = visible.strip().lstrip(".-~ ").rstrip(". ")
    if len(bare.encode()) <= _LONGEST_NAME:
        return bare
    stem, dot, suffix = bare.rpartition(".")
    ending = (dot + suffix).encode()
    if not stem or len(ending) > _LONGEST_SUFFIX:
        stem, ending = bare, b""
    kept = stem.encode()[: _LONGEST_NAME - len(ending)].decode(errors="ignore").rstrip(". ")
    return kept + ending.decode()


# Where a signature stands, the signature, the extension. The first that fits counts.
_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"GIF87a", ".gif"),
    (0, b"GIF89a", ".gif"),
    (8, b"WEBP", ".webp"),
    (8, b"WAVE", ".wav"),
    (8, b"AVI ", ".avi"),
    (0, b"%PDF-", ".pdf"),
    (0, b"OggS", ".ogg"),
    (0, b"ID3", ".mp3"),
    (0, b"fLaC", ".flac"),
    (0, b"#!AMR", ".amr"),
    (0, b"MThd", ".mid"),
    (0, b"II*\x00", ".tiff"),
    (0, b"MM\x00*", ".tiff"),
    (0, b"BM", ".bmp"),
    (0, b"\x00\x00\x01\x00", ".ico"),
    (0, b"\x00\x00\x00\x0cJXL ", ".jxl"),
    (0, b"\xff\x0a", ".jxl"),
    (0, b"\x00\x00\x01\xba", ".mpg"),
    (0, b"\x00\x00\x01\xb3", ".mpg"),
    (0, b"\x1f\x8b", ".gz"),
    (0, b"BZh", ".bz2"),
    (0, b"\xfd7zXZ\x00", ".xz"),
    (0, b"\x28\xb5\x2f\xfd", ".zst"),
    (0, b"7z\xbc\xaf\x27\x1c", ".7z"),
    (0, b"Rar!\x1a\x07", ".rar"),
    (257, b"ustar", ".tar"),
    (0, b"SQLite format 3\x00", ".sqlite"),
)
_BRANDS: Final = {  # the brand behind `ftyp` in ISO base media files
    b"heic": ".heic", b"heix": ".heic", b"mif1": ".heic", b"msf1": ".heic", b"avif": ".avif", b"avis": ".avif",
    b"M4A ": ".m4a", b"M4B ": ".m4a", b"M4V ": ".m4v", b"qt  ": ".mov", b"3gp4": ".3gp", b"3gp5": ".3gp",
}  # fmt: skip
_ZIPPED: Final = (  # what the first entries of a ZIP file give away
    (b"mimetypeapplication/epub+zip", ".epub"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", ".odt"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", ".ods"),
    (b"word/", ".docx"),
    (b"xl/", ".xlsx"),
    (b"ppt/", ".pptx"),
    (b"AndroidManifest.xml", ".apk"),
    (b"META-INF/MANIFEST.MF", ".jar"),
)
_TABLES: Final = ((",", ".csv"), ("\t", ".tsv"))
_CUT: Final = "Input data was truncated"
"""What msgspec says of JSON that ends too early."""
_TEXTS: Final = (
    (b"<!doctype html", ".html"),
    (b"<html", ".html"),
    (b"<svg", ".svg"),
    (b"<?xml", ".xml"),
    (b"begin:vcard", ".vcf"),
    (b"begin:vcalendar", ".ics"),
    (b"{\\rtf", ".rtf"),
)


def extension(head: bytes) -> str:
    """The extension (with its dot) for a file that begins so; empty when it is of no known type."""
    if head.startswith(b"PK\x03\x04"):
        return next((suffix for hint, suffix in _ZIPPED if hint in head), ".zip")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ".mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return ".webm" if b"webm" in head[:64] else ".mkv"
    for offset, signature, suffix in _SIGNATURES:
        if head.startswith(signature, offset):
            return suffix
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return ".txt"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08:  # an MPEG audio frame, or ADTS
        return ".mp3" if head[1] & 0x06 else ".aac"
    return "" if _TEXT_CONTROLS.search(head) else _text_extension(head)


def _text_extension(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for opening, suffix in _TEXTS:
        if start.startswith(opening):
            return ".svg" if suffix == ".xml" and b"<svg" in start else suffix
    if start.startswith((b"{", b"[")):
        return _json_extension(head)
    lines = head.decode(errors="replace").splitlines()
    if len(head) >= HEAD:
        del lines[-1:]  # it may be cut
    return next((suffix for comma, suffix in _TABLES if _is_table(lines, comma)), ".txt")


def _json_extension(head: bytes) -> str:
    try:
        msgspec.json.decode(head)
    except msgspec.DecodeError as error:
        if len(head) >= HEAD and str(error) == _CUT:
            return ".json"
    except (UnicodeDecodeError, RecursionError):
        return ".txt"
    else:
        return ".json"
    try:
        return ".ndjson" if len(msgspec.json.Decoder(dict).decode_lines(head)) > 1 else ".txt"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ".txt"


def _is_table(lines: Iterable[str], comma: str) -> bool:
    """Whether there are several lines, all of one number of fields, and more than one field."""
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=comma, skipinitialspace=True) if row]
    except csv.Error:
        return False
    return len(widths) > 1 and widths[0] > 1 and len(set(widths)) == 1
