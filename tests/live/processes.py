"""Starting and stopping programs, with a log each."""

import asyncio
import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

_POLL_SECONDS = 0.05


class Program:
    """A program that can be stopped and started again as it was."""

    def __init__(self, command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        """`folder` is where it runs; its output goes to `output.log` in it."""
        self._command = command
        self._folder = folder
        self._environment = os.environ | (environment or {})
        self.log = folder / "output.log"
        self._process: asyncio.subprocess.Process | None = None
        self._begin = 0

    async def start(self) -> None:
        """Starts it."""
        with self.log.open("ab") as output:
            self._begin = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )

    async def stop(self, *, within: float = 30) -> int:
        """Asks it to end, and insists after `within` seconds; its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(within):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode if process.returncode is not None else -1

    async def kill(self) -> None:
        """Ends it without a word, and waits until it is gone."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "not running"
        return self._process.pid

    def said(self) -> bytes:
        """What it has written since its last start."""
        return self.log.read_bytes()[self._begin :]

    async def says(self, pattern: bytes, *, within: float) -> re.Match[bytes]:
        """Waits until it has written something."""
        async with asyncio.timeout(within):
            while not (found := re.search(pattern, self.said())):
                self.check()
                await asyncio.sleep(_POLL_SECONDS)
        return found

    def check(self) -> None:
        """Fails when it has ended."""
        if self._process is None or self._process.returncode is not None:
            raise AssertionError(f"{self._command[0]} has ended:\n{self.said()[-3000:].decode(errors='replace')}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
