"""The door: who is let in at all."""

import asyncio
from pathlib import Path

import pytest

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import new_token
from tests.fakes.served import simulated


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "hub.localhost", "[::1]:8080"])
async def test_addresses_and_localhost_are_names_of_this_machine(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", Host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "[::1", "[half]"])
async def test_a_foreign_or_broken_host_is_misdirected(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", Host=host)).status == 421
        assert (await service.get("/v1/about", Host=host)).status == 421  # nor is it when it comes again


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[::1", "http://127.0.0.1:1"])
async def test_a_web_page_of_another_origin_is_refused_even_when_all_are_served(tmp_path: Path, origin: str) -> None:
    async with simulated(tmp_path, auth="open") as service:
        assert (await service.get("/v1/about", Origin=origin)).status == 403


async def test_a_web_page_of_our_own_is_served(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", Host="localhost:8080", Origin="http://localhost:8080")).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1:8080/v1/about", b"200"),
        ("HTTP://localhost/v1/groups/+4915100000001?expand=true", b"200"),
        ("http://localhost?x", b"404"),
        ("http://localhost", b"404"),
        ("http://evil.example/v1/about", b"421"),
        ("http://evil.example@localhost/v1/about", b"421"),
        ("http:///v1/about", b"400"),
        ("http://192.168.1.2/v1/about", b"401"),
    ],
)
async def test_a_target_that_names_the_host_means_its_path(tmp_path: Path, target: str, status: bytes) -> None:
    async with simulated(tmp_path) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(30):
            assert (await reader.readline()).split()[1] == status
        writer.close()


async def test_headers_that_were_let_in_before_let_nobody_in_who_would_be_kept_out_without_them(tmp_path: Path) -> None:
    headers = "Host: localhost\r\n"
    keyed = "Host: localhost\r\nX-Api-Key: {}\r\n"
    async with simulated(tmp_path) as service:
        made, secret = await service.courier.tokens.create(new_token("guest", [Scope.SEND]))

        async def status(target: str, headers: str, version: str = "1.1") -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
            writer.write(f"GET {target} HTTP/{version}\r\n{headers}\r\n".encode())
            async with asyncio.timeout(30):
                code = (await reader.readline()).split()[1]
            writer.close()
            return code

        for _ in range(20):
            assert await status("/v1/about", headers) == b"200"
            assert await status("/v1/about", keyed.format(secret)) == b"200"
            assert await status("http://evil.example/v1/about", headers) == b"421", "the target names another host"
            assert await status("/v1/about", headers + "Connection: close\r\n", "1.0") == b"401", "as an old proxy hands it over"
            assert await status("/v1/about", headers + "Via: proxy\r\n") == b"401"
            assert await status("/v1/about", headers + "Origin: http://evil.example\r\n") == b"403"
            assert await status("/v1/about", headers + "Sec-Fetch-Site: cross-site\r\n") == b"403"
            assert await status("/api/v2/tokens", keyed.format(secret)) == b"403", "it is known again with what it may do"
        await service.courier.tokens.revoke(made.id)
        assert await status("/v1/about", keyed.format(secret)) == b"401"
        assert await status("/v1/about", headers) == b"200"
