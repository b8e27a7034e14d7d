"""A person's terminal: the service with the simulator in one window, pasted commands in the other."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, override

from tests.docs.pages import ROOT

_ELSEWHERE: Final = re.compile(
    r"(git|docker|python3|pip|systemctl|loginctl|journalctl|mkdir|kubectl|~/\S+) |scripts/|export PATH="
    r"|(MODE=\S+ )?signal-courier (engine|serve$)"
)
"""What needs another machine, a network or a person; the rest is pasted."""
_ADDRESS: Final = re.compile(r"(?<![\w.])(?:localhost|127\.0\.0\.1):8080")
TOKEN: Final = "0123456789abcdef"
"""What the service was started with."""
_SECONDS: Final = 60
_STREAM_SECONDS: Final = 2
_LATEST: Final = {
    r"wh_0123456789abcdef": r"(wh_[0-9a-f]{16})",
    r"(?<![\w$])TOKEN\b": r"(sgc_[\w-]{43})",
    r"(?<=/links/)ID\b": r'"id":"([\w-]{16,})","state":"waiting"',
    r"\$SECRET\b": r'"client_secret":"([^"]+)"',
    r"\$TOKEN\b": r'"token":"(mt_[^"]+)"',
}
"""What stands for something that an earlier answer told, and what that looks like."""


_WEBSOCAT: Final = """
import asyncio, sys, aiohttp
async def follow():
    async with aiohttp.ClientSession() as session, session.ws_connect(sys.argv[1]) as socket:
        async for frame in socket:
            print(frame.data, flush=True)
asyncio.run(follow())
"""
"""What of `websocat` the pages use."""


@dataclass(frozen=True, slots=True)
class Post:
    """What came to the reader's webhook."""

    headers: Mapping[str, str]
    body: bytes


class Receiver(ThreadingHTTPServer):
    """The reader's own program, which takes whatever is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.posts: list[Post] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @override
    def server_close(self) -> None:
        self.shutdown()
        self._thread.join()
        super().server_close()


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append(Post({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@dataclass
class Terminal:
    """What was typed, and what came."""

    folder: Path
    port: int
    receiver: Receiver
    said: list[str] = field(default_factory=list)
    meanwhile: str | None = None
    """A command that somebody else runs while a stream is looked at."""
    _assigned: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What the page tells to set, and the programs that it calls."""
        programs = Path(sys.executable).parent
        return {
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.folder / 'bin'}:{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "addon"),
            "COURIER_DATA_DIR": str(self.folder / "data"),
            "SIGNAL_CLI_CONFIG_DIR": str(self.folder / "cli"),
            "COURIER_TOKEN": TOKEN,
        }

    def paste(self, command: str) -> str | None:
        """Run one command, give what it printed; `None` for what is not for this machine. Fails where the command does."""
        if _ELSEWHERE.match(command):
            return None
        given = self._filled_in(command)
        environment = self.environment
        if re.match("signal-courier (restore|import)", given):  # into an empty folder, as the page says
            environment |= {"COURIER_DATA_DIR": str(self.folder / "restored"), "SIGNAL_CLI_CONFIG_DIR": str(self.folder / "restored-cli")}
        streams = "curl -N" in given
        script = "\n".join(["set -eo pipefail", *self._assigned, given])
        try:
            with self._going_on() if streams else contextlib.nullcontext():
                done = subprocess.run(
                    ["bash", "-c", script],
                    cwd=self.folder,
                    env=environment,
                    capture_output=True,
                    timeout=_STREAM_SECONDS if streams else _SECONDS,
                    check=False,
                )
        except subprocess.TimeoutExpired as stopped:
            assert streams, f"{command}\ndoes not end"
            output = (stopped.stdout or b"").decode()
        else:
            output = done.stdout.decode(errors="replace")
            refused = re.search(r"# (4\d\d) ([\w-]+)$", command)  # the page says that it is
            if refused is not None:
                assert done.returncode == 22, f"{command}\n{output}"
                assert {json.loads(output)["status"], json.loads(output)["type"].rpartition(":")[2]} == {int(refused[1]), refused[2]}, (
                    output
                )
            else:
                assert done.returncode == 0, f"{command}\n{output}\n{done.stderr.decode()}"
        if re.match(r"[A-Z]+=", given):
            self._assigned.append(given)
        self.said.append(output)
        return output

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """While this lasts, `meanwhile` happens again and again."""
        over = threading.Event()

        def go_on() -> None:
            while self.meanwhile is not None and not over.wait(0.3):
                subprocess.run(["bash", "-c", self._filled_in(self.meanwhile)], env=self.environment, capture_output=True, check=False)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _filled_in(self, command: str) -> str:
        """The command with this run's addresses, and what earlier answers told."""
        command = (
            _ADDRESS.sub(f"127.0.0.1:{self.port}", command)
            .replace("/path/to", str(self.folder))
            .replace("192.168.1.20:5678", f"127.0.0.1:{self.receiver.port}")
        )
        for placeholder, form in _LATEST.items():
            if re.search(placeholder, command):
                found = re.findall(form, "\n".join(self.said))
                assert found, f"{command}\nnothing before it has told what {placeholder} is"
                command = re.sub(placeholder, found[-1], command)
        return command


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    """A service as `scripts/run` starts it, and a terminal beside it."""
    (folder / "home").mkdir(parents=True)
    # As pasted, but quick to notice: no meter, no endless wait, and an answer that is an error is a failure.
    (folder / "home" / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    (folder / "bin").mkdir()
    websocat = folder / "bin" / "websocat"
    websocat.write_text(f"#!{sys.executable}\n{_WEBSOCAT}")
    websocat.chmod(0o755)
    (folder / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    environment = {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "addon"),
        "PORT": "0",
        "COURIER_ENGINE": "simulator",
        "COURIER_DATA_DIR": str(folder / "data"),
        "SIGNAL_CLI_CONFIG_DIR": str(folder / "cli"),
        "COURIER_ACCOUNT": "+4915100000001",
        "COURIER_TOKEN": TOKEN,
    }
    with (folder / "log").open("w") as log:
        service = subprocess.Popen(
            [sys.executable, "-m", "signal_courier", "serve"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    receiver = Receiver()
    try:
        assert service.stdout is not None
        first = service.stdout.readline()
        port = re.search(r"listens on http://127\.0\.0\.1:(\d+)", first)
        assert port, first + (folder / "log").read_text()
        yield Terminal(folder, int(port[1]), receiver)
    finally:
        receiver.server_close()
        service.send_signal(signal.SIGTERM)
        service.wait(20)
        if service.stdout is not None:
            service.stdout.close()
