"""Files of the simulated network: uploaded attachments, and what signal-cli keeps in its configuration folder."""

import base64
import binascii
import errno
import mimetypes
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.refusals import INTERNAL_ERROR, Refusal

_KEPT = 64
"""How many uploads Signal's server keeps."""
_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?)(;base64)?,(.*)", re.DOTALL)
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"%PDF", "application/pdf"))


class NotReadable(Exception):
    """An attachment that cannot be read; the text is the one of signal-cli's AttachmentInvalidException."""


@dataclass(frozen=True)
class Upload:
    """A file on Signal's server."""

    path: Path
    content_type: str
    filename: str | None
    size: int
    """Bytes."""
    timestamp: int
    """When it was uploaded, ms since the epoch."""


class Files:
    """The server's uploads (`cdn`) and signal-cli's folders `attachments` and `avatars` below `config`."""

    def __init__(self, cdn: Path, config: Path) -> None:
        self._cdn = cdn
        self._attachments = config / "attachments"
        self._avatars = config / "avatars"
        self._forgetting = threading.Lock()

    def upload(self, attachment: str) -> Upload:
        """Upload a path or a data URI. Reads the whole file: not for the event loop.

        Raises:
            NotReadable: there is no such file, or the URI is none.
        """
        self._cdn.mkdir(parents=True, exist_ok=True)
        target = self._cdn / secrets.token_urlsafe(15)
        if attachment.startswith("data:"):
            content_type, filename = _store_data_uri(attachment, target)
        else:
            source = Path(attachment)
            try:
                shutil.copyfile(source, target)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise NotReadable(f"{attachment}: {attachment} ({reason})") from error
            filename = source.name
            content_type = mimetypes.guess_type(source.name)[0] or _sniffed(target)
        self._forget_old()
        return Upload(target, content_type, filename, target.stat().st_size, time.time_ns() // 1_000_000)

    def download(self, upload: Upload) -> dict[str, Json]:
        """Put an upload into `attachments` as a received file; gives signal-cli's JSON for it."""
        identifier = secrets.token_urlsafe(15) + _extension(upload)
        self._attachments.mkdir(parents=True, exist_ok=True)
        target = self._attachments / identifier
        try:
            os.link(upload.path, target)
        except OSError:
            shutil.copyfile(upload.path, target)
        return {
            "contentType": upload.content_type,
            "filename": upload.filename,
            "id": identifier,
            "size": upload.size,
            "width": None,
            "height": None,
            "caption": None,
            "uploadTimestamp": upload.timestamp,
        }

    def attachment(self, identifier: str) -> bytes:
        """The content of a received file.

        Raises:
            FileNotFoundError: there is none of that id.
        """
        return (self._attachments / re.sub(r"[^A-Za-z0-9_.-]", "_", identifier)).read_bytes()

    def has_avatar(self, kind: str, owner: str) -> bool:
        """Whether there is an avatar; `kind` is profile, contact or group."""
        return self._avatar(kind, owner).exists()

    def avatar(self, kind: str, owner: str) -> bytes:
        """The picture.

        Raises:
            FileNotFoundError: there is none.
        """
        return self._avatar(kind, owner).read_bytes()

    def put_avatar(self, kind: str, owner: str, picture: bytes) -> None:
        """Set a picture."""
        self._avatars.mkdir(parents=True, exist_ok=True)
        self._avatar(kind, owner).write_bytes(picture)

    def remove_avatar(self, kind: str, owner: str) -> None:
        """Remove a picture, if there is one."""
        self._avatar(kind, owner).unlink(missing_ok=True)

    def _avatar(self, kind: str, owner: str) -> Path:
        return self._avatars / f"{kind}-{owner.replace('/', '_')}"

    def _forget_old(self) -> None:
        with self._forgetting:
            uploads = sorted(self._cdn.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in uploads[:-_KEPT]:
                path.unlink(missing_ok=True)


def contents(path: str) -> bytes:
    """What is in a file that a caller named.

    Raises:
        OSError: there is none, or none can have such a name.
    """
    try:
        return Path(path).read_bytes()
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error


def attachment_failure(error: NotReadable) -> Refusal:
    """The refusal of a message with an attachment that cannot be read."""
    return Refusal(INTERNAL_ERROR, f"Failed to send message: {error} (AttachmentInvalidException) (UnexpectedErrorException)")


def _store_data_uri(uri: str, target: Path) -> tuple[str, str | None]:
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise NotReadable(f"{uri[:60]}: Invalid data URI")
    content_type, options, is_base64, data = found.groups()
    filename = next((option[9:] for option in options.split(";") if option.startswith("filename=")), None)
    try:
        target.write_bytes(base64.b64decode(data, validate=True) if is_base64 else unquote_to_bytes(data))
    except binascii.Error as error:
        raise NotReadable(f"{uri[:60]}: {error}") from error
    return content_type or "text/plain", filename


def _sniffed(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    return next((content_type for magic, content_type in _MAGIC if head.startswith(magic)), "application/octet-stream")


def _extension(upload: Upload) -> str:
    suffix = Path(upload.filename).suffix if upload.filename else ""
    suffix = suffix or mimetypes.guess_extension(upload.content_type) or ""
    return suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ""
