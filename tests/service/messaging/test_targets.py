"""Addresses that others name lead neither to this machine, nor to what only machines should reach."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp import web

from signal_courier.messaging.targets import Guard, is_harmless, is_neighbour, is_public, is_refusal, unwrapped
from signal_courier.messaging.webhooks.posting import Poster
from signal_courier.model.errors import InvalidValue

FORBIDDEN = [
    "169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "::ffff:100.100.100.200",
    "172.30.32.2", "172.30.32.3", "::ffff:172.30.32.2", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
]  # fmt: skip
"""Never, for nobody."""
LOCAL = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
PRIVATE = ["192.168.1.5", "10.0.0.1", "172.16.0.1", "172.30.32.1", "172.30.33.5", "100.64.0.7", "fd12::1", "::ffff:192.168.1.5"]
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", [*FORBIDDEN, *LOCAL, *PRIVATE, *PUBLIC])
def test_each_rule_allows_what_it_is_for(address: str) -> None:
    found = unwrapped(address)
    assert is_public(found) == (address in PUBLIC)
    assert is_neighbour(found) == (address in PUBLIC or address in PRIVATE)
    assert is_harmless(found) == (address not in FORBIDDEN)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://172.30.32.2/supervisor", "http://127.0.0.1:8080/v2/send",
        "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/",
        "ftp://example.org/", "file:///etc/passwd", "http://", "//example.org", "example.org", "http://user:pass@example.org/",
        "http://example.org:99999/", "http://exa mple.org/", "http://example.org/\nx", "http://[bad/", "", "http://127.1/", "http://2130706433/",
    ],
)  # fmt: skip
async def test_an_address_that_no_webhook_may_have_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Poster().check(url, local=False)
    assert caught.value.field == "url"


@pytest.mark.parametrize("url", ["http://192.168.1.5:8123/api/webhook/x", "https://example.org", "http://homeassistant:8123/x?y=z"])
async def test_the_own_network_and_the_internet_are_allowed(url: str) -> None:
    assert Poster().check(url, local=False) == url


@pytest.fixture
async def here() -> AsyncIterator[int]:
    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response()

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def refused(guard: Guard, url: str) -> bool:
    async with aiohttp.ClientSession(connector=guard.connector()) as session:
        try:
            async with asyncio.timeout(30), session.get(url):
                return False
        except aiohttp.ClientError as error:
            return is_refusal(error) or isinstance(error, aiohttp.InvalidURL)  # half an address is none


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost"])
async def test_this_machine_is_found_out_in_every_spelling(here: int, host: str) -> None:
    assert await refused(Guard(is_neighbour), f"http://{host}:{here}/")
    assert not await refused(Guard(is_harmless), f"http://127.0.0.1:{here}/")


async def test_one_bad_address_among_those_of_a_name_is_enough(here: int) -> None:
    async def look_up(host: str, port: int, family: socket.AddressFamily) -> Sequence[tuple[socket.AddressFamily, int, str]]:
        return [(socket.AF_INET, 6, "127.0.0.1"), (socket.AF_INET, 6, "169.254.169.254")]

    assert await refused(Guard(is_harmless, look_up), f"http://receiver.test:{here}/")


async def test_a_connection_is_checked_even_if_the_name_was_not(here: int) -> None:
    """As if somebody had got around the resolver: addresses in digits are not resolved at all."""
    guard = Guard(is_neighbour)
    with pytest.raises(OSError, match="not connected to"):
        guard._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", here)))
