"""Attachments on their way to signal-cli: each in a temporary folder of its own, gone when the request is answered.

A folder each keeps the names (two files may have the same one) and their order. What lies on disk already, because it was received
or uploaded earlier, is handed over where it is.
"""

import asyncio
import binascii
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from signal_courier.messaging.files.fetching import Fetcher
from signal_courier.messaging.files.received import ReceivedFiles
from signal_courier.messaging.files.uploads import Uploads
from signal_courier.model.attachments import (
    HEAD,
    Content,
    Inline,
    Upload,
    decode_base64,
    extension,
    file_name,
    parse_attachment,
    safe_name,
)
from signal_courier.model.errors import InvalidValue, MissingThing, TooLarge
from signal_courier.model.media import media_type

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{8,64}(\.[A-Za-z0-9]{1,16})?(\.preview)?")
"""What a received attachment may be called."""
_LONGEST_REFERENCE = 96
_PATH = "/v1/attachments/"
_INLINE_LIMIT = 14_000_000
"""Bytes that fit into one JSON string for signal-cli (20 million characters of base64)."""


class Staging:
    """Brings attachments to where signal-cli can read them."""

    def __init__(self, spool: Path, uploads: Uploads, received: ReceivedFiles, fetcher: Fetcher | None, *, inline: bool = False) -> None:
        """`fetcher`: `None` = addresses are refused. `inline`: signal-cli runs elsewhere and cannot read our files."""
        self.spool = spool
        self.uploads = uploads
        self.received = received
        self.fetcher = fetcher
        self.inline = inline

    def open(self, account: str) -> "Stage":
        """A stage for one request."""
        return Stage(self, account)


class Stage:
    """The files of one request; leaving the `async with` removes them."""

    def __init__(self, staging: Staging, account: str) -> None:
        self._staging = staging
        self._account = account
        self._folders: list[Path] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    async def add_all(self, contents: Sequence[Content], field: str, *, references_first: bool = False) -> list[str]:
        """Stage several files, in order; gives what to tell signal-cli. Raises `InvalidValue` that names the field."""
        return [await self.add(content, field, references_first=references_first) for content in contents]

    async def add(self, content: Content, field: str, *, references_first: bool = False) -> str:
        """Stage one file: base64 in any form, the id of an upload or of a received attachment, or an address.

        With `references_first` a short text that names nothing is an unknown id, not broken base64.
        """
        if isinstance(content, Upload):
            return await self._hand_over(self._take(content))
        assert isinstance(content, Inline)
        text = content.text
        if text.startswith(("https://", "http://")):
            return await self._hand_over(await self._fetch(text, field))
        if len(text) <= _LONGEST_REFERENCE:
            found = await self._find(text.removeprefix(_PATH), field, certain=references_first or text.startswith(_PATH))
            if found is not None:
                return await self._hand_over(found)
        parsed = parse_attachment(text, field=field)
        return await self._hand_over(self._write(parsed.file_name, parsed.data))

    async def add_plain(self, content: Content, field: str) -> str:
        """Stage a picture that is plain base64 (avatars, thumbnails). Raises `InvalidValue`."""
        if isinstance(content, Upload):
            return await self._hand_over(self._take(content))
        assert isinstance(content, Inline)
        data = decode_base64(content.text, field=field)
        return await self._hand_over(self._write(file_name("", data[:HEAD]), data))

    def _folder(self) -> Path:
        folder = self._staging.spool / secrets.token_hex(8)
        folder.mkdir(mode=0o700, parents=True)
        self._folders.append(folder)
        return folder

    def _write(self, name: str, data: bytes) -> Path:
        file = self._folder() / name
        file.write_bytes(data)
        return file

    def _take(self, upload: Upload) -> Path:
        return upload.path.rename(self._folder() / file_name(upload.metadata.name, upload.head))

    async def _fetch(self, address: str, field: str) -> Path:
        fetcher = self._staging.fetcher
        if fetcher is None:
            raise InvalidValue(field, f"{field}: addresses are not fetched; set COURIER_ATTACHMENT_URLS=true to allow it")
        file = self._folder() / "file"
        name = safe_name(await fetcher.fetch(address, file, field))
        with file.open("rb") as opened:
            head = opened.read(HEAD)
        if name and "." not in name:
            name += extension(head)
        return file.rename(file.with_name(name or file_name("", head)))

    async def _find(self, name: str, field: str, *, certain: bool) -> Path | None:
        """The file that an id names. Raises `InvalidValue` when it can be nothing but an id, and there is no such file."""
        staging = self._staging
        try:
            if staging.uploads.is_id(name):
                return staging.uploads.path(name)
            if not _REFERENCE.fullmatch(name):
                return None
            if staging.received.is_remote:
                return self._write(name, await staging.received.fetch(self._account, name)) if certain or "." in name else None
            return staging.received.path(name)
        except MissingThing:
            if certain or staging.uploads.is_id(name):
                raise InvalidValue(field, f"{field}: there is no attachment '{name}'") from None
            return None

    async def _hand_over(self, file: Path) -> str:
        if not self._staging.inline:
            return str(file)
        data = await asyncio.to_thread(_read_at_most, file, _INLINE_LIMIT + 1)
        if len(data) > _INLINE_LIMIT:
            raise TooLarge("attachments", f"attachments: signal-cli runs elsewhere and takes at most {_INLINE_LIMIT // 1_000_000} MB")
        encoded = binascii.b2a_base64(data, newline=False).decode()
        name = file.name.replace(";", "_").replace(",", "_")
        return f"data:{media_type(data[:HEAD]).partition(';')[0]};filename={name};base64,{encoded}"


def _read_at_most(file: Path, size: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(size)
