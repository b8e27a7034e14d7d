"""Who may connect at all: by default only this machine, and no web page of somebody else."""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from signal_courier.http.problems import Forbidden


class Door:
    """Checks a request before anything of it is read.

    While `open_to_all` is false only loopback addresses are served, and the Host header must be an address or `localhost`
    (a foreign name that points to this machine is a web page's trick). A foreign Origin is refused always.
    """

    def __init__(self, *, open_to_all: bool) -> None:
        self._open = open_to_all

    def check(self, request: web.BaseRequest) -> None:
        """Raises `Forbidden`."""
        headers = request.headers
        if not self._open:
            if not _is_loopback(request.remote):
                raise Forbidden("This address is not served: set COURIER_AUTH=open to serve the whole network without a password", 401)
            if not _is_local_name(headers.get(hdrs.HOST)):
                raise Forbidden("The Host header names a host that is not served", 421)
        origin = headers.get(hdrs.ORIGIN)
        if origin is not None and not _same_host(origin, headers.get(hdrs.HOST)):
            raise Forbidden("Requests from web pages of other origins are refused")


@lru_cache(64)
def _is_loopback(remote: str | None) -> bool:
    if remote is None:
        return True
    try:
        address = ipaddress.ip_address(remote.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


@lru_cache(64)
def _is_local_name(host: str | None) -> bool:
    if host is None:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 address
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_host(origin: str, host: str | None) -> bool:
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
