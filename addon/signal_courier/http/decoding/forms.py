"""A body that comes as a multipart form: its texts and files become the same type as the JSON of that route."""

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp import http_exceptions, web

from signal_courier.http.decoding import bodies
from signal_courier.http.decoding.bodies import Digest
from signal_courier.http.decoding.lenient import decode
from signal_courier.http.decoding.uploads import broken_form, part_chunks, write_chunks
from signal_courier.http.problems import NoSpace, SlowBody
from signal_courier.model.attachments import Upload, safe_name
from signal_courier.model.errors import InvalidValue, TooLarge

_MOST_PARTS: Final = 64
_LONGEST_TEXTS: Final = 2**20
"""Bytes of all texts of a form."""


def is_form(request: web.BaseRequest) -> bool:
    """Whether the body says of itself that it is one."""
    return request.content_type == "multipart/form-data"


@contextlib.asynccontextmanager
async def read_form[T](
    request: web.BaseRequest, type_: type[T], *, spool: Path, limit: int, digest: Digest | None = None
) -> AsyncIterator[T]:
    """Read and decode a form, for the time of a `with` block; files that were not moved away are gone afterwards.

    `type_` is a msgspec struct with texts and, for files, fields of the type `Content`. `digest` takes names and contents, which stay the
    same when a client sends a form again with another boundary. Raises what `bodies.read_body` raises.
    """
    form = _Form(spool, limit, digest)
    try:
        await form.read(request)
        yield decode(msgspec.json.encode(form.fields), type_, form.uploads)
    finally:
        for path in form.paths:
            path.unlink(missing_ok=True)


class _Form:
    def __init__(self, spool: Path, limit: int, digest: Digest | None) -> None:
        self.fields: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.paths: list[Path] = []
        self._spool = spool
        self._limit = limit
        self._digest = digest
        self._nonce = secrets.token_hex(16)
        self._text_left = _LONGEST_TEXTS

    async def read(self, request: web.BaseRequest) -> None:
        if request.content_length is not None and request.content_length > self._limit + 65536:
            raise TooLarge("body", f"the body is larger than {self._limit / 2**20:.4g} MiB")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.writer is not None:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(bodies.DEADLINE):
                async for part in await request.multipart():
                    if not isinstance(part, aiohttp.BodyPartReader) or not part.name:
                        raise broken_form()
                    if len(self.fields) >= _MOST_PARTS:
                        raise TooLarge("body", f"a form has {_MOST_PARTS} fields at most")
                    self._note(part.name.encode())
                    self.fields[part.name] = await (self._text(part) if part.filename is None else self._file(part))
        except TimeoutError:
            raise SlowBody("the form took too long") from None
        except http_exceptions.InvalidHeader as error:
            raise broken_form() from error
        except bodies.LOST as error:
            raise bodies.lost_body(error) from error
        except InvalidValue:
            raise
        except (ValueError, RuntimeError) as error:  # a part's content or encoding
            raise broken_form() from error
        except OSError as error:
            raise NoSpace(error) from error

    async def _text(self, part: aiohttp.BodyPartReader) -> str:
        pieces = []
        async for piece in part_chunks(part):
            self._text_left -= len(piece)
            if self._text_left < 0:
                raise TooLarge(part.name or "body", "the texts of the form are too long")
            pieces.append(piece)
        text = b"".join(pieces)
        self._note(text)
        return text.decode()

    async def _file(self, part: aiohttp.BodyPartReader) -> str:
        path = self._spool / uuid.uuid4().hex
        self.paths.append(path)
        head = await write_chunks(self._noted(part_chunks(part)), path, self._limit)
        name = safe_name(part.filename or "").replace(";", "_")
        self._note(name.encode())
        kind = part.headers.get("Content-Type", "").partition(";")[0].strip()
        placeholder = f"{self._nonce}:{len(self.uploads)}"
        self.uploads[placeholder] = Upload(path, f"data:{kind};filename={name};", path.stat().st_size, head)
        return placeholder

    async def _noted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            if self._digest is not None:
                self._digest.update(chunk)
            yield chunk

    def _note(self, data: bytes) -> None:
        if self._digest is not None:
            self._digest.update(b"%d\n" % len(data) + data)
