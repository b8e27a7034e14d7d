"""Which addresses this service connects to when somebody else names them.

A name is resolved here, and what it resolves to is checked; the connection goes to the address that was checked, and is checked once more
when its socket is made, so that neither a second answer of the name server nor an address written in digits gets past.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, override

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Rule = Callable[[Address], bool]
"""Whether an address may be connected to."""
type Lookup = Callable[[str, int, socket.AddressFamily], Awaitable[Sequence[tuple[socket.AddressFamily, int, str]]]]
"""Resolves a name: family, protocol and address of each."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba; lies in a range that VPNs use too
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",  # Amazon
            "fd20:ce::254",  # Google
        ),
    )
)
"""Where clouds tell a machine its secrets; the usual one, 169.254.169.254, is link-local."""
_SUPERVISOR: Final = ipaddress.ip_network("172.30.32.0/24")
"""Home Assistant's own services: the Supervisor (.2), name server, audio and so on. Apps have 172.30.33.0/24."""
_HOME_ASSISTANT: Final = ipaddress.ip_address("172.30.32.1")


class RefusedAddress(OSError):
    """An address that is not connected to."""


class Guard:
    """Makes connectors that keep to a rule."""

    def __init__(self, rule: Rule, lookup: Lookup | None = None) -> None:
        self._rule = rule
        self._lookup = lookup or _look_up

    def allows(self, host: str) -> bool:
        """Whether a host is an allowed address, or a name (which is checked when it is resolved)."""
        try:
            return self._rule(unwrapped(host))
        except ValueError:
            return True

    def connector(self, *, keep_alive: float = 15.0) -> aiohttp.TCPConnector:
        """A connector for a session of aiohttp. What it refuses ends with an error that `is_refusal` knows."""
        return aiohttp.TCPConnector(
            resolver=_Resolver(self), use_dns_cache=False, socket_factory=self._socket, keepalive_timeout=keep_alive, limit=0
        )

    async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        """The addresses of a name; raises `RefusedAddress` when any of them is not allowed, `OSError` when there is none."""
        results: list[ResolveResult] = []
        for kind, proto, address in await self._lookup(host, port, family):
            self._check(address)
            results.append(ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST))
        return results

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, where = info
        self._check(str(where[0]))
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made

    def _check(self, address: str) -> None:
        try:
            allowed = self._rule(unwrapped(address))
        except ValueError:
            allowed = False
        if not allowed:
            raise RefusedAddress(_REFUSED)


_REFUSED: Final = "the address is one that is not connected to"


class _Resolver(AbstractResolver):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @override
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        return await self._guard.resolve(host, port, family)

    @override
    async def close(self) -> None:
        """Nothing is open."""


def is_refusal(error: BaseException) -> bool:
    """Whether a connection failed because a guard did not allow it."""
    inner = getattr(error, "os_error", None)
    return isinstance(error, RefusedAddress) or isinstance(inner, RefusedAddress) or _REFUSED in str(inner or error)


def unwrapped(text: str) -> Address:
    """An address; of one that is wrapped in another (mapped, NAT64, 6to4) the inner one. Raises `ValueError`."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = (
            address.ipv4_mapped or address.sixtofour or (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
        )
        return inner or address
    return address


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet."""
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _METADATA


def is_neighbour(address: Address) -> bool:
    """Whether an address belongs to the internet or to another machine of the own network.

    This machine, link-local addresses, those of a cloud's metadata and of Home Assistant's Supervisor do not.
    """
    return not address.is_loopback and is_harmless(address)


def is_harmless(address: Address) -> bool:
    """As `is_neighbour`, and this machine too."""
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA:
        return False
    if address.is_reserved and not address.is_loopback:
        return False
    if address.version == 4 and address in _SUPERVISOR:
        return address == _HOME_ASSISTANT
    return address.version == 6 or address.packed[0] != 0


async def _look_up(host: str, port: int, family: socket.AddressFamily) -> Sequence[tuple[socket.AddressFamily, int, str]]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return [(kind, proto, str(where[0])) for kind, _, proto, _, where in found]
