"""The servers that are measured, each a process of its own over the same fake daemon."""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.executable)
BARE_ALONE = "bare, without daemon"
COURIER, BARE, MORPH027 = "Signal Courier", "bare aiohttp", "python-signal-cli-rest-api"
PLAIN = "without access, outbox, audit"
"""Our own server and delivery with nothing between them; see `tests.bench.plain`."""
UNNOTED = "access, outbox, audit; no history"
"""Our own server, which does not write down what was sent; see `tests.bench.unnoted`."""
WITH_TOKEN = "Signal Courier, by token"
"""The same process as `COURIER`, asked with a token instead of trusted as a program on the same machine."""
TOKEN = "sgc_" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class Server:
    """A running candidate. CPU and memory are those of its own process; with `workers` also of the processes it has started."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    backend: str
    """Where its own daemon listens: nobody else hears what is pushed there."""
    first_answer: float
    """Seconds from the start of the process to its first answer."""
    workers: bool = False
    token: str | None = None
    """What requests show as a Bearer token."""

    @property
    def base(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """CPU seconds used so far."""
        return sum(_cpu(process) for process in self._processes())

    def memory(self) -> float:
        """Resident memory now, in MiB."""
        return sum(int((process / "statm").read_text().split()[1]) for process in self._processes()) * _PAGE / 2**20

    def peak(self) -> float:
        """Largest resident memory since `forget_peak`, in MiB."""
        return sum(int((process / "status").read_text().partition("VmHWM:")[2].split()[0]) for process in self._processes()) / 1024

    def forget_peak(self) -> None:
        """Begin to watch the peak anew."""
        for process in self._processes():
            (process / "clear_refs").write_text("5")

    def _processes(self) -> list[Path]:
        found = [Path(f"/proc/{self.process.pid}")]
        if self.workers:
            for process in found:
                found += [Path(f"/proc/{child}") for child in (process / "task" / process.name / "children").read_text().split()]
        return found


def _cpu(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _wait_for(url: str, process: subprocess.Popen[bytes], deadline: float) -> float:
    """Seconds until the first answer."""
    started = time.perf_counter()
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return time.perf_counter() - started
        except urllib.error.HTTPError:
            return time.perf_counter() - started
        except OSError:
            if process.poll() is not None or time.perf_counter() - started > deadline:
                raise RuntimeError(f"{url} does not answer; the process says {process.poll()}") from None
            time.sleep(0.002)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    # MALLOC_ARENA_MAX as in the container and in scripts/run
    return {**kept, "MALLOC_ARENA_MAX": "1", "PYTHONPATH": f"{REPOSITORY / 'addon'}:{REPOSITORY}", **extra}


@contextlib.contextmanager
def _run(arguments: Sequence[str], extra: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        arguments, env=_environment(extra), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it may have started
        process.wait()


@contextlib.contextmanager
def daemon(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The fake daemon, listening on a socket path or a port."""
    with _run([sys.executable, "-m", "tests.bench.backend", address], {}) as process:
        started = time.perf_counter()
        while not (Path(address).exists() if not address.isdigit() else _listens(int(address))):
            if time.perf_counter() - started > 10:
                raise RuntimeError("the fake daemon does not start")
            time.sleep(0.01)
        yield process


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def courier(work: Path, python: Path = PYTHON) -> Iterator[Server]:
    """This service, attached to a fast daemon of its own, with its usual settings."""
    backend = str(work / f"daemon-{free_port()}")
    settings = {"MODE": "json-rpc", "SIGNAL_CLI_SOCKET": f"unix:{backend}"}
    with daemon(backend), _courier(work, settings, backend, python=python) as server:
        yield server


@contextlib.contextmanager
def plain(work: Path) -> Iterator[Server]:
    """The same without access, outbox and audit."""
    backend = str(work / f"daemon-{free_port()}")
    settings = {"MODE": "json-rpc", "SIGNAL_CLI_SOCKET": f"unix:{backend}"}
    with daemon(backend), _courier(work, settings, backend, program=("tests.bench.plain",)) as server:
        yield dataclasses.replace(server, name=PLAIN)


@contextlib.contextmanager
def unnoted(work: Path) -> Iterator[Server]:
    """The same with all of them, but for the history of what was sent."""
    backend = str(work / f"daemon-{free_port()}")
    settings = {"MODE": "json-rpc", "SIGNAL_CLI_SOCKET": f"unix:{backend}"}
    with daemon(backend), _courier(work, settings, backend, program=("tests.bench.unnoted",)) as server:
        yield dataclasses.replace(server, name=UNNOTED)


@contextlib.contextmanager
def supervising(work: Path, signal_cli: Path, mode: str) -> Iterator[Server]:
    """This service with a signal-cli that it starts itself: at once, or with the first call (`MODE=normal`)."""
    with _courier(work, {"MODE": mode, "SIGNAL_CLI": str(signal_cli)}, "") as server:
        yield server


@contextlib.contextmanager
def _courier(
    work: Path, settings: Mapping[str, str], backend: str, *, program: Sequence[str] = ("signal_courier", "serve"), python: Path = PYTHON
) -> Iterator[Server]:
    port = free_port()
    data = work / f"courier-{port}"
    own = {"PORT": str(port), "COURIER_TOKEN": TOKEN, "COURIER_DATA_DIR": str(data), "SIGNAL_CLI_CONFIG_DIR": str(data / "signal-cli")}
    with _run([str(python), "-m", *program], {**own, **settings}) as process:
        first_answer = _wait_for(f"http://127.0.0.1:{port}/v1/health", process, 20)
        yield Server(name=COURIER, port=port, process=process, backend=backend, first_answer=first_answer)
    shutil.rmtree(data, ignore_errors=True)


@contextlib.contextmanager
def bare(work: Path, python: Path = PYTHON) -> Iterator[Server]:
    """The bare aiohttp server."""
    port = free_port()
    backend = str(work / f"daemon-{port}")
    with daemon(backend), _run([str(python), "-m", "tests.bench.bare", str(port), backend], {}) as process:
        first_answer = _wait_for(f"http://127.0.0.1:{port}/v1/about", process, 20)
        yield Server(name=BARE, port=port, process=process, backend=backend, first_answer=first_answer)


@contextlib.contextmanager
def morph027(program: Path) -> Iterator[Server]:
    """python-signal-cli-rest-api from an environment of its own, over TCP (it knows no better)."""
    port, backend_port = free_port(), free_port()
    names = {
        "ACCOUNT": "4915100000001",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "JSONRPC_HOST": "127.0.0.1",
        "JSONRPC_PORT": str(backend_port),
    }
    settings = {f"PYTHON_SIGNAL_CLI_REST_API_{name}": value for name, value in names.items()} | {"PYTHONPATH": ""}
    with daemon(str(backend_port)), _run([str(program)], settings) as process:
        first_answer = _wait_for(f"http://127.0.0.1:{port}/v1/about", process, 20)
        yield Server(name=MORPH027, port=port, process=process, backend=str(backend_port), first_answer=first_answer, workers=True)
