"""Fetches attachments that a caller names by address, without letting the address reach into the own network.

The name is resolved once; every address it has must be public, and the connection goes to the address that was checked (so that a
second, different answer of the name server changes nothing). Redirects are followed by hand, each checked the same way.
"""

import asyncio
import email.message
import ipaddress
import socket
from pathlib import Path
from typing import override
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from signal_courier.model.errors import InvalidValue, TooLarge

_DEADLINE = 60.0
_CONNECT = 10.0
_REDIRECTS = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _PrivateAddress(OSError):
    """A name that points into a private network."""


class Fetcher:
    """Gets files over https; with `private` also over http and from private addresses. `limit` is in bytes."""

    def __init__(self, *, limit: int, private: bool = False, deadline: float = _DEADLINE) -> None:
        self._limit = limit
        self._private = private
        self._timeout = aiohttp.ClientTimeout(total=deadline, connect=_CONNECT)

    async def fetch(self, address: str, target: Path, field: str) -> str:
        """Write the file to `target`; gives the name it has there, which may be empty. Raises `InvalidValue` that names the field."""
        connector = aiohttp.TCPConnector(resolver=_CheckingResolver(private=self._private), use_dns_cache=False)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=self._timeout, auto_decompress=True) as session:
                for _ in range(_REDIRECTS + 1):
                    self._check(address, field)
                    async with session.get(address, allow_redirects=False, headers={"Accept": "*/*"}) as answer:
                        if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                            address = urljoin(address, answer.headers["Location"])
                            continue
                        if answer.status != 200:
                            raise InvalidValue(field, f"{field}: the address answered with status {answer.status}")
                        await self._write(answer, target, field)
                        return _name_of(answer, address)
                raise InvalidValue(field, f"{field}: the address redirects too often")
        except _PrivateAddress:
            raise InvalidValue(field, f"{field}: the address is in a private network") from None
        except TimeoutError:
            raise InvalidValue(field, f"{field}: the address did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, InvalidValue):
                raise
            if isinstance(getattr(error, "os_error", None), _PrivateAddress):
                raise InvalidValue(field, f"{field}: the address is in a private network") from None
            raise InvalidValue(field, f"{field}: the address could not be fetched ({type(error).__name__})") from None

    def _check(self, address: str, field: str) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (self._private and parts.scheme == "http"):
            raise InvalidValue(field, f"{field}: only https addresses are fetched")
        host = parts.hostname
        if not host or parts.username is not None:
            raise InvalidValue(field, f"{field}: '{parts.hostname or ''}' is no host to fetch from")
        if not self._private and _is_literal(host) and not is_public(host):
            raise InvalidValue(field, f"{field}: the address is in a private network")

    async def _write(self, answer: aiohttp.ClientResponse, target: Path, field: str) -> None:
        size = 0
        with target.open("wb") as file:
            async for chunk in answer.content.iter_chunked(256 * 1024):
                size += len(chunk)
                if size > self._limit:
                    raise TooLarge(field, f"{field}: the file is larger than {self._limit // 1024**2} MiB")
                await asyncio.to_thread(file.write, chunk)


class _CheckingResolver(AbstractResolver):
    def __init__(self, *, private: bool) -> None:
        self._private = private

    @override
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results: list[ResolveResult] = []
        for kind, _, proto, _, where in found:
            address = str(where[0])
            if not self._private and not is_public(address):
                raise _PrivateAddress(host)
            results.append(ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST))
        return results

    @override
    async def close(self) -> None:
        """Nothing is open."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet, also the one that is wrapped in it (mapped, NAT64, 6to4)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _is_literal(host: str) -> bool:
    """Whether a host is an address already. Odd spellings (`127.1`, `0x7f000001`) are not: they go through the resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name_of(answer: aiohttp.ClientResponse, address: str) -> str:
    header = email.message.Message()
    header["Content-Disposition"] = answer.headers.get("Content-Disposition", "")
    return header.get_filename() or unquote(urlsplit(address).path.rpartition("/")[2])
