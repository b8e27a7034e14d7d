"""Requests that only wait for something to tell: they end as soon as their client has gone, so that nothing is kept for nobody."""

from typing import Final

from aiohttp import web

_KEY: Final = web.RequestKey("ends_with_client", bool)


def end_with_client(request: web.BaseRequest) -> None:
    """From now on what serves this request is cancelled when the connection is lost, or at once where it is lost already."""
    request[_KEY] = True
    if request.transport is None:
        request.task.cancel()


def ends_with_client(request: web.BaseRequest) -> bool:
    """Whether that is so."""
    return _KEY in request
