"""Media types, told from a file's first bytes and not from what its sender says."""

import codecs
import re
from typing import Final

from signal_courier.model.attachments import HEAD, extension

UNKNOWN: Final = "application/octet-stream"

_ONLY_IN_1252: Final = re.compile(rb"[\x80-\x9f]")

_TYPES: Final = {
    ".7z": "application/x-7z-compressed",
    ".3gp": "video/3gpp",
    ".aac": "audio/aac",
    ".amr": "audio/amr",
    ".apk": "application/vnd.android.package-archive",
    ".avi": "video/x-msvideo",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".bz2": "application/x-bzip2",
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".ics": "text/calendar",
    ".jar": "application/jar",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jxl": "image/jxl",
    ".m4a": "audio/x-m4a",
    ".m4v": "video/x-m4v",
    ".mid": "audio/midi",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpg": "video/mpeg",
    ".ndjson": "application/x-ndjson",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/x-rar-compressed",
    ".rtf": "text/rtf",
    ".sqlite": "application/vnd.sqlite3",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".tiff": "image/tiff",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".vcf": "text/vcard",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "text/xml; charset=utf-8",
    ".xz": "application/x-xz",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}


def media_type(head: bytes) -> str:
    """The media type of a file that begins so (`model.attachments.HEAD` bytes are enough)."""
    kind = _TYPES.get(extension(head), UNKNOWN)
    return f"{kind}; charset={_charset(head)}" if kind == "text/plain" else kind


def _charset(head: bytes) -> str:
    """How a text is encoded, as far as its beginning tells."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16be"
    try:
        codecs.utf_8_decode(head, "strict", len(head) < HEAD)  # the last character may be cut
    except UnicodeDecodeError:
        return "windows-1252" if _ONLY_IN_1252.search(head) else "iso-8859-1"
    return "utf-8"
