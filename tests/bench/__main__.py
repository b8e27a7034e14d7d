"""`scripts/bench [--quick] [--only WORD]`: medians of five interleaved rounds, and ratios to the bare server."""

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench import candidates, load
from tests.bench.backend import ACCOUNT
from tests.bench.candidates import REPOSITORY, Server

type Figures = dict[str, float]
type Scenario = Callable[[Server], Figures]

_MORPH_PYTHON = REPOSITORY / ".cache" / "bench" / "morph027" / "bin" / "python"


def _requests(path: str, connections: int, seconds: float, body: str | None = None) -> Scenario:
    return lambda server: asdict(load.requests(server, path, connections=connections, seconds=seconds, body=body))


def _upload(mebibytes: int) -> Scenario:
    return lambda server: asdict(load.upload(server, mebibytes))


def _scenarios(seconds: float) -> dict[str, Scenario]:
    found: dict[str, Scenario] = {"idle, before any load": lambda server: {"memory": server.memory()}}
    for connections in (1, 8, 64):
        found[f"send, {connections} connections"] = _requests("/v2/send", connections, seconds, load.SEND_BODY)
    for connections in (1, 8, 64):
        found[f"about, {connections} connections"] = _requests("/v1/about", connections, seconds)
    found["100 groups, 1 connection"] = _requests(f"/v1/groups/{ACCOUNT}", 1, seconds)
    found["flood of 30 000 to 1 client"] = lambda server: asdict(load.flood(server, clients=1, messages=30_000))
    found["flood of 30 000 to 50 clients"] = lambda server: asdict(load.flood(server, clients=50, messages=30_000))
    found["attachment of 5 MiB"] = _upload(5)
    found["attachment of 50 MiB"] = _upload(50)
    found["idle, after all of it"] = lambda server: {"memory": server.memory()}
    return found


def _morph027_can(name: str) -> bool:
    return not name.startswith("flood") and "50 MiB" not in name


@contextlib.contextmanager
def _morph027() -> Iterator[Server | None]:
    """The peer from PyPI; `None`, with the reason printed, where it cannot be had."""
    if not _MORPH_PYTHON.exists():
        uv = shutil.which("uv") or str(REPOSITORY / ".cache" / "tools" / "uv" / "bin" / "uv")
        old = [
            "python-signal-cli-rest-api==22.10.6",
            "websockets==10.4",
            "sanic==22.9.1",
            "sanic-ext==22.9.1",
            "sanic-testing==22.9.0",
            "setuptools<70",
        ]
        try:
            subprocess.run([uv, "venv", "-q", "--python", "3.11", str(_MORPH_PYTHON.parents[1])], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", str(_MORPH_PYTHON), *old], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(_MORPH_PYTHON.parents[1], ignore_errors=True)
            print(f"python-signal-cli-rest-api is left out: {error}", file=sys.stderr)
            yield None
            return
    try:
        with candidates.morph027(_MORPH_PYTHON) as server:
            yield server
    except RuntimeError as error:
        print(f"python-signal-cli-rest-api is left out: {error}", file=sys.stderr)
        yield None


def _median(rounds: Sequence[Figures]) -> Figures:
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def _table(name: str, results: dict[str, Figures]) -> None:
    keys = list(next(iter(results.values())))
    print(f"\n{name}")
    print(f"  {'':28}" + "".join(f"{key.replace('_', ' '):>14}" for key in keys))
    for server, figures in results.items():
        print(f"  {server:28}" + "".join(f"{figures[key]:14,.2f}" for key in keys))
    mine, floor = results.get("Signal Courier"), results.get("bare aiohttp")
    if mine and floor:
        ratios = "".join(f"{mine[key] / floor[key]:13.2f}×" if floor[key] else f"{'':14}" for key in keys)
        print(f"  {'ratio to the bare server':28}{ratios}")


def _start(work: Path, rounds: int) -> None:
    for name, start in (("Signal Courier", candidates.courier), ("bare aiohttp", candidates.bare)):
        times = [candidates.start_time(lambda start=start: start(work)) for _ in range(rounds)]  # type: ignore[misc]
        wall, cpu = (statistics.median(values) for values in zip(*times, strict=True))
        print(f"  {name:28}{wall:14.3f} s to the first answer, {cpu:.3f} s CPU")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", default="", help="only scenarios whose name holds this")
    chosen = parser.parse_args()
    if not load.wrk_is_there():
        print("wrk is needed for the load (Debian: apt-get install wrk)", file=sys.stderr)
        return 1
    rounds, seconds = (1, 1) if chosen.quick else (5, 4)
    work = load.temporary_folder()
    try:
        with (
            candidates.courier(work) as courier,
            candidates.bare(work) as bare,
            _morph027() as morph027,
        ):
            time.sleep(1)
            servers = [server for server in (courier, bare, morph027) if server is not None]
            for name, scenario in _scenarios(seconds).items():
                if chosen.only not in name:
                    continue
                found: dict[str, list[Figures]] = {}
                for _ in range(rounds):
                    for server in servers:
                        if server is not morph027 or _morph027_can(name):
                            found.setdefault(server.name, []).append(scenario(server))
                _table(name, {server: _median(figures) for server, figures in found.items()})
        if chosen.only in "start":
            print("\nstart")
            _start(work, rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
