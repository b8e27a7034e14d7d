"""Answers in a word: JSON, nothing, a file's bytes."""

import msgspec
from aiohttp import web
from multidict import CIMultiDict

_encode = msgspec.json.Encoder(decimal_format="number").encode
_JSON = "application/json; charset=utf-8"


def json_answer(content: object, status: int = 200) -> web.Response:
    """A JSON answer of a struct, a list of structs, or plain values."""
    return json_bytes(_encode(content), status)


def json_bytes(body: bytes, status: int = 200) -> web.Response:
    """A JSON answer whose bytes are there already."""
    return web.Response(body=body, status=status, headers=CIMultiDict({"Content-Type": _JSON}))


def empty(status: int = 204) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def text_answer(text: str, status: int, content_type: str = "text/plain") -> web.Response:
    """A plain text answer."""
    return web.Response(body=text.encode(), status=status, headers=CIMultiDict({"Content-Type": content_type}))


def content(body: bytes, content_type: str) -> web.Response:
    """Bytes of a media type, safe to open: the browser must not guess another type."""
    headers = CIMultiDict({"Content-Type": content_type, "X-Content-Type-Options": "nosniff"})
    return web.Response(body=body, headers=headers)
