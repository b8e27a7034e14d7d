"""A container as the test sees it: started, asked, killed, stopped."""

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.app.standin.network import APP, CORE
from tests.app.standin.stage import Specification

ROOT = Path(__file__).parents[3]
ROOTFS = ROOT / "addon" / "rootfs"
HOSTNAME = "local-signal-courier"
_IMAGE = {"S6_KILL_GRACETIME": "500", "S6_BEHAVIOUR_IF_STAGE2_FAILS": "2", "S6_VERBOSITY": "1", "MALLOC_ARENA_MAX": "1"}
"""Variables that the image sets."""
_STOP_SECONDS = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body) if self.body else None


class Container:
    """One that runs. Make it with `running`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, session: aiohttp.ClientSession) -> None:
        self._process = process
        self._log = log
        self._session = session
        self.begun = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        folder: Path,
        *,
        volumes: Mapping[Path, str],
        engine: Path | None = None,
        java: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        read_only: bool = False,
        entrypoint: Sequence[str] = (),
    ) -> AsyncIterator[Self]:
        """Start one; whatever is left of it at the end is killed.

        Args:
            folder: for its log and its root.
            volumes: folders of this machine → where they are mounted.
            engine: what is in the image as signal-cli.
            java: home of what is in the image as Java.
            environment: `docker run --env`.
            user: `docker run --user`.
            read_only: `docker run --read-only`.
            entrypoint: `docker run --entrypoint` and what is said to it.
        """
        root, log = folder / "root", folder / "log"
        root.mkdir(exist_ok=True)
        binds = {str(ROOT): str(ROOT), sys.prefix: "/opt/signal-courier"}
        base = Path(sys.base_prefix)
        if not base.is_relative_to(ROOT) and not base.is_relative_to("/usr"):
            binds[str(base)] = str(base)
        binds |= {str(source): target for source, target in ((engine, "/opt/signal-cli"), (java, "/opt/java")) if source is not None}
        specification = Specification(
            root=str(root),
            rootfs=str(ROOTFS),
            binds=binds,
            volumes={str(source): target for source, target in volumes.items()},
            environment={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **_IMAGE, **(environment or {})},
            hostname=HOSTNAME,
            address=APP,
            user=user,
            read_only=read_only,
            program=list(entrypoint) or ["/opt/signal-courier/bin/python", "-I", "-S", str(Path(__file__).with_name("overlay.py"))],
        )
        async with cls.staged(Path(__file__).with_name("stage.py"), specification, log) as container:
            yield container

    @classmethod
    @contextlib.asynccontextmanager
    async def staged(cls, stage: Path, specification: Any, log: Path) -> AsyncIterator[Self]:
        """Start the program `stage`, which makes a container as the specification (a dataclass of its own) says; killed at the end."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private"),
                *(sys.executable, "-I", str(stage), json.dumps(dataclasses.asdict(specification))),
                stdout=output,
                stderr=output,
                stdin=asyncio.subprocess.DEVNULL,
            )
        connector = aiohttp.TCPConnector(local_addr=(CORE, 0))
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
                yield cls(process, log, session)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def token(self, data: Path) -> str:
        """Home Assistant's token, from the volume."""
        return (data / "courier" / "home-assistant.token").read_text().strip()

    async def first_token(self) -> str:
        """The token that the first start tells in the log, in a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while not (found := re.search(r"The first token, which may do everything: (\S+)", self.log)):  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(0.02)
                return found[1]
        raise AssertionError(self.log)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        port: int = 8080,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A request as Home Assistant's Core would make it."""
        headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        async with self._session.request(method, f"http://{APP}:{port}{path}", json=body, headers=headers) as answer:
            return Reply(answer.status, await answer.read())

    async def answers(self, path: str, status: int, *, token: str | None = None, within: float = 60, port: int = 8080) -> Reply:
        """Ask until the answer has this status."""
        last: object = None
        try:
            async with asyncio.timeout(within):
                while True:
                    with contextlib.suppress(aiohttp.ClientError):
                        last = reply = await self.call("GET", path, token=token, port=port)
                        if reply.status == status:
                            return reply
                    if self._process.returncode is not None:
                        raise AssertionError(f"the container ended with {self._process.returncode}:\n{self.log}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} never answered {status}, but {last}:\n{self.log}") from None

    async def up(self) -> None:
        """Wait until it answers, if only that a token is needed."""
        await self.answers("/v1/health", 401)

    def pid(self, part: str) -> int | None:
        """The process in it whose command line has this part, as this machine numbers it."""
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if part in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                    return pid
        return None

    def processes(self) -> list[int]:
        """Every process in it."""
        first = self._first()
        space = Path(f"/proc/{first}/ns/pid").readlink() if first else None
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "ns" / "pid").readlink() == space:
                    found.append(int(entry.name))
        return sorted(found)

    async def run(self, *command: str) -> tuple[int, str]:
        """`docker exec`; gives the exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(self._first()), "--mount", "--pid", "--ipc", "--uts", "--root", "--wd=/", *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(20):
            said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def memory(self) -> dict[str, int]:
        """What each of its processes has for itself and its share of what it shares (PSS), in KiB, by command line."""
        found: dict[str, int] = {}
        for pid in self.processes():
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                size = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found[f"{pid} {name[:60]}"] = size
        return found

    def kill(self, part: str) -> int:
        """Kill such a process at once; gives which."""
        pid = self.pid(part)
        assert pid is not None, f"no process {part}:\n{self.log}"
        os.kill(pid, signal.SIGKILL)
        return pid

    async def ended(self, within: float = _STOP_SECONDS) -> int:
        """Its exit code, once it has ended by itself."""
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def stop(self) -> tuple[int, float]:
        """`docker stop`; gives its exit code and how long it took, in seconds."""
        first = self._first()
        assert first, f"it has ended already:\n{self.log}"
        begun = time.monotonic()
        os.kill(first, signal.SIGTERM)
        return await self.ended(), time.monotonic() - begun

    def _first(self) -> int | None:
        with contextlib.suppress(OSError, IndexError):
            return int(Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0])
        return None
