"""`MODE=normal`: signal-cli is not running until somebody wants messages, and nothing that waited at Signal is missed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

from signal_courier.courier import Courier
from signal_courier.engine.base import EngineState
from signal_courier.settings import Settings
from tests.fakes.listener import frame_of
from tests.fakes.signal_cli import write_account

ANN = "+4915100000001"
PROGRAM = Path(__file__).parents[2] / "fakes" / "signal_cli.py"


@asynccontextmanager
async def running(folder: Path, waiting: list[bytes], **settings: object) -> AsyncIterator[Courier]:
    """The service over the stand-in for signal-cli, with messages that wait at Signal."""
    config, program = folder / "config", folder / "signal-cli"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    write_account(config, ANN)
    (config / "mailbox.jsonl").write_bytes(b"".join(frame + b"\n" for frame in waiting))
    courier = Courier(
        Settings(
            port=0,
            data_dir=folder / "data",
            signal_cli_config_dir=config,
            signal_cli=program,
            mode="normal",
            **settings,  # type: ignore[arg-type]  # as each test needs
        )
    )
    await courier.start()
    try:
        yield courier
    finally:
        await asyncio.wait_for(courier.stop(), 30)


async def pulled(courier: Courier, query: str) -> list[bytes]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{courier.server.port}/v1/receive/{ANN}{query}", timeout=aiohttp.ClientTimeout(30)) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return [bytes(item) for item in msgspec.json.decode(await answer.read(), type=list[msgspec.Raw])]


async def test_a_get_wakes_signal_cli_and_brings_what_waited(tmp_path: Path) -> None:
    frames = [frame_of(ANN, number) for number in range(20)]
    async with running(tmp_path, frames) as courier:
        assert courier.engine.status.state is EngineState.IDLE
        received: list[bytes] = []
        while len(received) < len(frames):
            more = await pulled(courier, "?timeout=10")
            assert more, "each GET waits for the first message"
            received += more
        assert received == frames


async def test_the_schedule_fetches_what_waits_and_keeps_it(tmp_path: Path) -> None:
    frames = [frame_of(ANN, number) for number in range(5)]
    async with running(tmp_path, frames, auto_receive_schedule="* * * * *", auto_receive_timeout=2) as courier:
        await asyncio.wait_for(courier.receiving.fetch_as_scheduled(), 30)
        assert await pulled(courier, "?timeout=0") == frames


async def test_the_webhook_works_in_this_mode_too(tmp_path: Path) -> None:
    posted: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.BaseRequest) -> web.Response:
        posted.put_nowait(await request.read())
        return web.Response(status=201)

    runner = web.ServerRunner(web.Server(take), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    frames = [frame_of(ANN, number) for number in range(3)]
    async with running(tmp_path, frames, receive_webhook_url=address) as courier:
        await pulled(courier, "?timeout=10")
        bodies = [await asyncio.wait_for(posted.get(), 30) for _ in frames]
    await runner.cleanup()
    assert bodies == [b'{"jsonrpc":"2.0","method":"receive","params":' + frame + b"}\n" for frame in frames]
