"""`scripts/bench [--quick] [--only WORD]`: medians of five interleaved rounds, ratios to the bare server, what is to be reached.

Times are in ms where nothing else is said, CPU in µs a request or frame, memory in MiB. The load runs on the same machine: on a busy one
CPU and ratios are the steady figures. "Before and after" is the same request to our own server as it is, without writing down what was sent
(`tests.bench.unnoted`), and without access, outbox and audit at all (`tests.bench.plain`), in the same rounds. The peer from PyPI is left
out where it cannot be had, and so is the real signal-cli.
"""

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.bench import candidates, load, peer, shipped, signal_clis
from tests.bench.backend import SOCIABLE, TICKS_PER_SECOND
from tests.bench.candidates import BARE, BARE_ALONE, COURIER, MORPH027, PLAIN, TOKEN, UNNOTED, WITH_TOKEN, Server
from tests.bench.report import Figures, Results, Target, median, summary, table

_EVERYBODY = frozenset({COURIER, BARE, MORPH027})
_US_AND_BARE = frozenset({COURIER, BARE})
_BEFORE_AND_AFTER = frozenset({COURIER, WITH_TOKEN, UNNOTED, PLAIN})


@dataclass(frozen=True)
class _Scenario:
    name: str
    measure: Callable[[Server], Figures]
    servers: frozenset[str] = _EVERYBODY
    without_daemon: Callable[[Server], Figures] | None = None
    """What the bare server does in the same rounds, as the lowest floor."""


def _requests(name: str, path: str, connections: int, seconds: float) -> _Scenario:
    return _Scenario(
        f"{name}, {connections} at once",
        lambda server: asdict(load.requests(server, path, connections=connections, seconds=seconds)),
    )


def _sends(connections: int, seconds: float) -> _Scenario:
    def measure(server: Server, path: str = "/v2/send") -> Figures:
        return asdict(load.requests(server, path, connections=connections, seconds=seconds, body=load.SEND_BODY))

    return _Scenario(f"send, {connections} at once", measure, without_daemon=lambda server: measure(server, "/post"))


def _scenarios(seconds: float, messages: int) -> Iterator[_Scenario]:
    for connections in (1, 8, 64):
        yield _sends(connections, seconds)
    for connections in (1, 8, 64):
        yield _Scenario(
            f"before and after, {connections} at once",
            lambda server, connections=connections: asdict(  # type: ignore[misc]  # mypy cannot tell the type of a default
                load.requests(server, "/v2/send", connections=connections, seconds=seconds, body=load.SEND_BODY)
            ),
            _BEFORE_AND_AFTER,
        )
    for connections in (1, 8, 64):
        yield _requests("about", "/v1/about", connections, seconds)
    yield _requests("100 groups", f"/v1/groups/{SOCIABLE}", 1, seconds)
    for clients in (1, 50):
        yield _Scenario(
            f"WebSocket, {TICKS_PER_SECOND}/s to {clients}",
            lambda server, clients=clients: asdict(load.latency(server, clients=clients, messages=round(seconds * TICKS_PER_SECOND))),  # type: ignore[misc]  # mypy cannot tell the type of a default
            _US_AND_BARE,
        )
        yield _Scenario(
            f"flood to {clients}",
            # the bare server takes half a minute for all; its rate shows with less
            lambda server, clients=clients: asdict(  # type: ignore[misc]  # as above
                load.flood(server, clients=clients, messages=messages if server.name == COURIER else messages // 10)
            ),
            _US_AND_BARE,
        )
    yield _Scenario("5 MiB attachment", lambda server: asdict(load.upload(server, 5)))
    yield _Scenario("50 MiB attachment", lambda server: asdict(load.upload(server, 50)))
    yield _Scenario("2 × 50 MiB at once", lambda server: asdict(load.upload(server, 50, at_once=2)), _US_AND_BARE)
    yield _Scenario("memory after all of it", lambda server: {"memory": server.memory()})


_TARGETS: Sequence[Target] = (
    *(
        Target(
            f"/v2/send against the bare JSON POST {what}, {connections} at once: CPU",
            f"send, {connections} at once",
            "cpu",
            1.6,
            "×",
            over=floor,
        )
        for what, floor in (("with the daemon", BARE), ("without daemon", BARE_ALONE))
        for connections in (1, 8, 64)
    ),
    *(
        Target(
            f"what {what} to /v2/send, {connections} at once: CPU",
            f"before and after, {connections} at once",
            "cpu",
            1.25,
            "×",
            server=server,
            over=PLAIN,
        )
        for what, server in (
            ("access and outbox add", UNNOTED),
            ("access, outbox, history and audit add", COURIER),
            ("the same by token add", WITH_TOKEN),
        )
        for connections in (1, 8, 64)
    ),
    Target("/v2/send, 64 at once: p99 / p50", "send, 64 at once", "tail", 2.5, "×"),
    Target("100 groups: CPU", "100 groups, 1 at once", "cpu", 1200, "µs"),
    Target("flood to 50 clients", "flood to 50", "rate", 500_000, "frames/s", above=True),
    Target("flood to 50 clients: lost", "flood to 50", "lost", 1),
    Target("50 MiB attachment", "50 MiB attachment", "seconds", 0.4, "s"),
    Target("50 MiB attachment: peak memory", "50 MiB attachment", "peak", 100, "MiB"),
    Target("a call of the real signal-cli: p50", "real signal-cli, json-rpc", "warm", 1, "ms"),
    Target("idle", "idle, fresh process", "memory", 50, "MiB"),
    Target("first answer after start", "start", "first_answer", 0.4, "s"),
)


@contextlib.contextmanager
def _servers(work: Path) -> Iterator[list[Server]]:
    """All candidates side by side, those from elsewhere where they can be had."""
    with contextlib.ExitStack() as stack:
        ours, unnoted = stack.enter_context(candidates.courier(work)), stack.enter_context(candidates.unnoted(work))
        plain, bare = stack.enter_context(candidates.plain(work)), stack.enter_context(candidates.bare(work))
        running = [ours, replace(ours, name=WITH_TOKEN, token=TOKEN), unnoted, plain, bare]
        try:
            running.append(stack.enter_context(candidates.morph027(peer.program())))
        except (peer.Unavailable, RuntimeError) as error:
            print(f"{MORPH027} is left out: {error}", file=sys.stderr)
        yield running


def _starts(work: Path, rounds: int, settle: float) -> Iterator[tuple[str, dict[str, list[Figures]]]]:
    """Each time a fresh process, with the packages of the container: how soon it answers, and what it occupies once it has come to rest."""
    python = shipped.python()
    starts: dict[str, list[Figures]] = {}
    idle: dict[str, list[Figures]] = {}
    for start in (candidates.courier, candidates.bare):
        for _ in range(rounds):
            with start(work, python) as server:
                starts.setdefault(server.name, []).append({"first_answer": server.first_answer, "cpu_seconds": server.cpu()})
                time.sleep(settle)
                idle.setdefault(server.name, []).append({"memory": server.memory()})
    yield "start", starts
    yield "idle, fresh process", idle


def _engines(work: Path, rounds: int, seconds: float) -> Iterator[tuple[str, dict[str, list[Figures]]]]:
    """The service with a signal-cli that it starts itself: the first call, later ones, and what stays in memory."""
    programs = {"stand-in for signal-cli": signal_clis.stand_in(work), "real signal-cli": signal_clis.real()}
    for name, program in programs.items():
        if program is None:
            print("the real signal-cli is left out: there is none (`signal-courier engine install` brings one)", file=sys.stderr)
            continue
        for mode in ("json-rpc", "normal"):
            found: list[Figures] = []
            for _ in range(rounds if program is programs["stand-in for signal-cli"] else min(rounds, 3)):
                with candidates.supervising(work, program, mode) as server:
                    cold = load.asked(server, "/v1/accounts")
                    warm = load.requests(server, "/v1/accounts", connections=1, seconds=seconds)
                    found.append(
                        {"first_call_s": cold, "warm": warm.p50, "warm_p99": warm.p99, "rate": warm.rate, "memory": server.memory()}
                    )
            yield f"{name}, {mode}", {COURIER: found}


def _measured(servers: Sequence[Server], scenario: _Scenario, rounds: int) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {}
    for _ in range(rounds):
        for server in servers:
            if server.name in scenario.servers:
                try:
                    found.setdefault(server.name, []).append(scenario.measure(server))
                except (RuntimeError, OSError) as error:
                    if server.name != MORPH027:
                        raise
                    print(f"{server.name} cannot do it: {scenario.name} ({error})", file=sys.stderr)
                    found.pop(server.name, None)
            if server.name == BARE and scenario.without_daemon is not None:
                found.setdefault(BARE_ALONE, []).append(scenario.without_daemon(server))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", default="", metavar="WORD", help="only scenarios whose name holds this")
    chosen = parser.parse_args()
    if not load.wrk_is_there():
        print("wrk is needed for the load (Debian: apt-get install wrk)", file=sys.stderr)
        return 1
    rounds, seconds, settle, messages = (1, 1, 1.0, 6_000) if chosen.quick else (5, 2, 10.0, 30_000)
    results: Results = {}

    def show(name: str, found: dict[str, list[Figures]]) -> None:
        if found:
            results[name] = {server: median(figures) for server, figures in found.items()}
            table(name, results[name])

    began = time.monotonic()
    work = load.temporary_folder()
    try:
        if any(chosen.only in name for name in ("start", "idle, fresh process")):
            for name, found in _starts(work, min(rounds, 3), settle):
                show(name, found)
        scenarios = [scenario for scenario in _scenarios(seconds, messages) if chosen.only in scenario.name]
        if scenarios:
            with _servers(work) as servers:
                for scenario in scenarios:
                    show(scenario.name, _measured(servers, scenario, rounds))
        if any(
            chosen.only in f"{name}, {mode}" for name in ("stand-in for signal-cli", "real signal-cli") for mode in ("json-rpc", "normal")
        ):
            for name, found in _engines(work, rounds, seconds):
                show(name, found)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    summary(_TARGETS, results)
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
