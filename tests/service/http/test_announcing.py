"""The service is found in the local network, with what is needed to reach it, and says goodbye. Multicast over loopback, on a free port."""

import asyncio
from pathlib import Path

import pytest
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from signal_courier import __version__
from signal_courier.http.serving.announcing import SERVICE, Announcer
from signal_courier.settings import Settings

INSTANCE = "0123456789abcdef0123456789abcdef"
LOOPBACK = ["127.0.0.1"]


async def test_who_looks_finds_the_service_until_it_stops(tmp_path: Path) -> None:
    found, gone = asyncio.Event(), asyncio.Event()
    names: list[str] = []

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if INSTANCE[:8] in name:
            names.append(name)
            {ServiceStateChange.Added: found, ServiceStateChange.Removed: gone}.get(state_change, asyncio.Event()).set()

    looking = AsyncZeroconf(interfaces=LOOPBACK)
    browser = AsyncServiceBrowser(looking.zeroconf, SERVICE, handlers=[changed])
    announcer = Announcer(Settings(data_dir=tmp_path), interfaces=LOOPBACK)
    try:
        announcer.start(INSTANCE, 8080)
        await announcer.announced()
        async with asyncio.timeout(30):
            await found.wait()
        info = AsyncServiceInfo(SERVICE, names[0])
        assert await info.async_request(looking.zeroconf, 3000)
        assert (info.port, info.parsed_addresses()) == (8080, LOOPBACK)
        assert info.decoded_properties == {"id": INSTANCE, "version": __version__, "path": "/api/v2", "tls": "0"}
        await announcer.stop()
        async with asyncio.timeout(30):
            await gone.wait()
    finally:
        await announcer.stop()
        await browser.async_cancel()
        await looking.async_close()


@pytest.mark.parametrize(("host", "announce"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)])
async def test_who_serves_this_machine_alone_or_was_told_not_to_is_silent(tmp_path: Path, host: str, announce: bool) -> None:
    announcer = Announcer(Settings(data_dir=tmp_path, host=host, announce=announce))
    announcer.start(INSTANCE, 8080)
    assert announcer._task is None
    await announcer.announced()
    await announcer.stop()
