"""Tells the local network that the service is here, by multicast DNS: `_signal-courier._tcp`, for Home Assistant and whoever else looks.

Only a service that other machines can reach announces itself, and not the one in Home Assistant's app (it has an ingress): of that one the
Supervisor tells. The TXT record holds `id` (which stays), `version`, `path` of the native API,
and `tls` (`1` or `0`). python-zeroconf is loaded when it is needed, and never before the service is open.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from signal_courier import __version__
from signal_courier.settings import Settings

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

_LOGGER = logging.getLogger(__name__)

SERVICE: Final = "_signal-courier._tcp.local."
PATH: Final = "/api/v2"
_FAREWELL: Final = 1.0
"""Seconds that the goodbye may take."""


class Announcer:
    """Announces, and says goodbye. Trouble is logged: nobody depends on being found."""

    def __init__(self, settings: Settings, *, interfaces: Sequence[str] | None = None) -> None:
        """`interfaces`: addresses of those that the announcement goes out on; `None` = all."""
        self._settings = settings
        self._interfaces = interfaces
        self._zeroconf: AsyncZeroconf | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, instance: str, port: int) -> None:
        """Begin to announce, in the background."""
        settings = self._settings
        if settings.announce and settings.ingress_port is None and (self._interfaces or not _is_loopback(settings.host)):
            self._task = asyncio.create_task(self._announce(instance, port))

    async def announced(self) -> None:
        """Wait until it is announced, or could not be."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def stop(self) -> None:
        """Say goodbye."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._zeroconf is not None:
            try:
                async with asyncio.timeout(_FAREWELL):
                    await self._zeroconf.async_unregister_all_services()
            except (OSError, TimeoutError) as error:
                _LOGGER.debug("The goodbye to the local network failed: %s", error)
            await self._zeroconf.async_close()
            self._zeroconf = None

    async def _announce(self, instance: str, port: int) -> None:
        try:
            zeroconf = await asyncio.to_thread(__import__, "zeroconf.asyncio", fromlist=("AsyncZeroconf", "AsyncServiceInfo"))
            interfaces = self._interfaces if self._interfaces is not None else _interfaces_for(self._settings.host)
            info = zeroconf.AsyncServiceInfo(
                SERVICE,
                f"Signal Courier {instance[:8]}.{SERVICE}",
                port=port,
                parsed_addresses=list(interfaces) if interfaces else await asyncio.to_thread(_addresses),
                properties={
                    "id": instance,
                    "version": __version__,
                    "path": PATH,
                    "tls": "1" if self._settings.tls_certificate is not None else "0",
                },
                server=f"{socket.gethostname().partition('.')[0]}-{instance[:8]}.local.",
            )
            self._zeroconf = zeroconf.AsyncZeroconf(interfaces=list(interfaces)) if interfaces else zeroconf.AsyncZeroconf()
            await self._zeroconf.async_register_service(info)
        except Exception as error:  # noqa: BLE001  # whatever a network can do wrong: the service itself is open
            _LOGGER.warning("The service could not be announced in the local network: %s", error)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _interfaces_for(host: str) -> Sequence[str] | None:
    """The one that the service listens on, `None` for all."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if address.is_unspecified else (host,)


def _addresses() -> list[str]:
    """Where this machine can be reached; not what only it or only its neighbour on the wire understands."""
    import ifaddr  # noqa: PLC0415  # comes with python-zeroconf

    found = [str(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    return [text for text in found if _is_reachable(text)]


def _is_reachable(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return not (address.is_loopback or address.is_link_local)
