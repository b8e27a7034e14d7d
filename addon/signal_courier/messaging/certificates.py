"""Whose certificates count where this service calls others: the system's, loaded when somebody is first called by https.

aiohttp loads them when it is imported, which is 2 MiB of memory that most homes never need. `left_for_later` keeps it from that, so every
request to others must say `ssl=await certificates_for(address)`; one that does not finds no certificate good.
"""

import asyncio
import contextlib
import functools
import os
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

_PLACES: Final[Mapping[str, str]] = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
"""Where OpenSSL is told to look meanwhile."""


@contextlib.contextmanager
def left_for_later() -> Iterator[None]:
    """Import what imports aiohttp within this."""
    before = {name: os.environ.get(name) for name in _PLACES}
    os.environ.update(_PLACES)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def certificates_for(address: str) -> ssl.SSLContext | bool:
    """What aiohttp takes as `ssl` of a request to this address."""
    if not address.lower().startswith("https:"):
        return True
    return await asyncio.to_thread(_trusted)


@functools.cache
def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context
