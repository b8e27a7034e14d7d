"""Fetches attachments that a caller names by address, without letting the address reach into the own network.

Every address that a name has must be public, see `targets`. Redirects are followed by hand, each checked the same way.
"""

import asyncio
import email.message
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp

from signal_courier.messaging.certificates import certificates_for
from signal_courier.messaging.targets import Guard, is_harmless, is_public, is_refusal
from signal_courier.model.errors import InvalidValue, TooLarge

_DEADLINE = 60.0
_CONNECT = 10.0
_REDIRECTS = 3
_HEADERS = {"Accept": "*/*", "Via": "1.1 signal-courier"}
"""`Via`: somebody else asks. A service that trusts what comes from this machine (as this one does) must not take them for us."""
_FORBIDDEN = "the address is in a private network"


class Fetcher:
    """Gets files over https; with `private` also over http and from private addresses. `limit` is in bytes."""

    def __init__(self, *, limit: int, private: bool = False, deadline: float = _DEADLINE) -> None:
        self._limit = limit
        self._private = private
        self._guard = Guard(is_harmless if private else is_public)
        self._timeout = aiohttp.ClientTimeout(total=deadline, connect=_CONNECT)

    async def fetch(self, address: str, target: Path, field: str) -> str:
        """Write the file to `target`; gives the name it has there, which may be empty. Raises `InvalidValue` that names the field."""
        try:
            async with aiohttp.ClientSession(connector=self._guard.connector(), timeout=self._timeout, auto_decompress=True) as session:
                for _ in range(_REDIRECTS + 1):
                    self._check(address, field)
                    trust = await certificates_for(address)
                    async with session.get(address, allow_redirects=False, headers=_HEADERS, ssl=trust) as answer:
                        if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                            address = urljoin(address, answer.headers["Location"])
                            continue
                        if answer.status != 200:
                            raise InvalidValue(field, f"{field}: the address answered with status {answer.status}")
                        await self._write(answer, target, field)
                        return _name_of(answer, address)
                raise InvalidValue(field, f"{field}: the address redirects too often")
        except TimeoutError:
            raise InvalidValue(field, f"{field}: the address did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, InvalidValue):
                raise
            if is_refusal(error):
                raise InvalidValue(field, f"{field}: {_FORBIDDEN}") from None
            raise InvalidValue(field, f"{field}: the address could not be fetched ({type(error).__name__})") from None

    def _check(self, address: str, field: str) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (self._private and parts.scheme == "http"):
            raise InvalidValue(field, f"{field}: only https addresses are fetched")
        host = parts.hostname
        if not host or parts.username is not None:
            raise InvalidValue(field, f"{field}: '{parts.hostname or ''}' is no host to fetch from")
        if not self._guard.allows(host):
            raise InvalidValue(field, f"{field}: {_FORBIDDEN}")

    async def _write(self, answer: aiohttp.ClientResponse, target: Path, field: str) -> None:
        size = 0
        with target.open("wb") as file:
            async for chunk in answer.content.iter_chunked(256 * 1024):
                size += len(chunk)
                if size > self._limit:
                    raise TooLarge(field, f"{field}: the file is larger than {self._limit // 1024**2} MiB")
                await asyncio.to_thread(file.write, chunk)


def _name_of(answer: aiohttp.ClientResponse, address: str) -> str:
    header = email.message.Message()
    header["Content-Disposition"] = answer.headers.get("Content-Disposition", "")
    return header.get_filename() or unquote(urlsplit(address).path.rpartition("/")[2])
