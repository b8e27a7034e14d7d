"""A signal-cli daemon for the other people in the lab, and a line to it.

Independent of the product's own engine on purpose: the two must not share a mistake.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.lab.reports import Json, Reports

_START_SECONDS = 120
_CALL_SECONDS = 120
_STOP_SECONDS = 30
_LINE_LIMIT = 1 << 26


class CallFailed(Exception):
    """signal-cli answered with an error."""

    def __init__(self, method: str, error: Json) -> None:
        super().__init__(f"{method}: {error['message']} ({error['code']})")
        self.add_note(str(error.get("data")))
        self.code: int = error["code"]
        self.data: Json | None = error.get("data")


class Daemon:
    """A running daemon: calls, and what it has received."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._calls: dict[int, asyncio.Future[Json]] = {}
        self.reports = Reports()
        """What its accounts have received."""

    async def call(self, method: str, /, **parameters: object) -> Any:
        """The result of a JSON-RPC call; parameters that are None are left out.

        Raises:
            CallFailed: the daemon says no.
            TimeoutError: it says nothing.
        """
        number = len(self._calls) + 1
        answer = self._calls[number] = asyncio.get_running_loop().create_future()
        given = {name: value for name, value in parameters.items() if value is not None}
        self._writer.write(msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": given}) + b"\n")
        async with asyncio.timeout(_CALL_SECONDS):
            reply = await answer
        if "error" in reply:
            raise CallFailed(method, reply["error"])
        return reply.get("result")

    async def read(self) -> None:
        """Reads what the daemon says, until the connection ends."""
        while line := await self._reader.readline():
            said: Json = msgspec.json.decode(line)
            if "method" in said:
                self.reports.add(said["params"].get("result", said["params"]))
            elif (answer := self._calls.get(said["id"])) is not None and not answer.done():
                answer.set_result(said)
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the daemon went away"))


@contextlib.asynccontextmanager
async def running_daemon(launcher: Path, data_folder: Path, scratch: Path) -> AsyncIterator[Daemon]:
    """Starts a daemon on a data folder, subscribed to everything its accounts receive; stops it afterwards.

    Args:
        launcher: the lab's `signal-cli`.
        data_folder: what `--config` names.
        scratch: an existing folder for its socket, its log and temporary files; its path must be short.
    """
    socket = scratch / "socket"
    environment = os.environ | {"JAVA_OPTS": f"-Djava.io.tmpdir={scratch}"}
    with (scratch / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            launcher, "--config", data_folder, "daemon", "--socket", socket, "--receive-mode", "manual", "--no-receive-stdout",
            env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        reader, writer = await _connected(process, socket)
        daemon = Daemon(reader, writer)
        reading = asyncio.create_task(daemon.read())
        try:
            await daemon.call("subscribeReceive")
            yield daemon
        finally:
            writer.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await _stopped(process)


async def _connected(process: asyncio.subprocess.Process, socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects as soon as the daemon listens; a Unix socket gives no sign of that, so it is tried ten times a second."""
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                return await asyncio.open_unix_connection(socket, limit=_LINE_LIMIT)
            await asyncio.sleep(0.1)
    log = (socket.parent / "log").read_text(errors="replace")
    raise RuntimeError(f"signal-cli ended with {process.returncode}: {log[-2000:]}")


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
