"""A stand-in for s6-overlay's init, over Debian's s6 and execline: the same tree, the same rules, as process 1 of a container.

As a program (`python overlay.py`) it is that init. As a module it reads the tree and says what is wrong with it; `install` puts into a root
folder what s6-overlay would have there. Needs nothing but the standard library.
"""

import dataclasses
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

TREE = Path("etc/s6-overlay/s6-rc.d")
BASE = "base"
"""The bundle of s6-overlay's own services: everything of ours comes after it."""
S6 = Path("/usr/bin")
EXECLINE = Path("/usr/lib/execline/bin")
PATH = "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = Path("/run/s6/container_environment")
EXIT_CODE = Path("/run/s6-linux-init-container-results/exitcode")
SERVICES = Path("/run/service")
_MILLISECONDS = ("timeout-up", "timeout-down", "timeout-kill", "timeout-finish")
_FILES = {
    "longrun": {
        "type",
        "run",
        "finish",
        "notification-fd",
        "data",
        "env",
        "max-death-tally",
        "down-signal",
        "dependencies.d",
        *_MILLISECONDS,
    },
    "oneshot": {"type", "up", "down", "timeout-up", "timeout-down", "dependencies.d"},
    "bundle": {"type", "contents.d"},
}
_TAKEN = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)


class BadTree(Exception):
    """s6-rc-compile would refuse it, or the container would not do what it is to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A longrun or a oneshot."""

    folder: Path
    kind: str
    dependencies: frozenset[str]

    @property
    def name(self) -> str:
        return self.folder.name

    def text(self, name: str) -> str | None:
        """What a file of it holds."""
        file = self.folder / name
        return file.read_text().strip() if file.exists() else None

    def milliseconds(self, name: str) -> int:
        """A timeout; 0 = none."""
        return int(self.text(name) or 0)


def read_tree(root: Path) -> list[Service]:
    """The services of the bundle `user` below a root folder, dependencies first. Raises `BadTree`."""
    tree = root / TREE
    found = {folder.name: _read(folder, root) for folder in sorted(tree.iterdir()) if _type(folder) != "bundle"}
    bundles = {folder.name: _names(folder / "contents.d") for folder in tree.iterdir() if _type(folder) == "bundle"}
    if "user" not in {*bundles, *(path.name for path in tree.iterdir())}:
        raise BadTree("there is no bundle user: nothing would be started")
    wanted = _names(tree / "user" / "contents.d")
    ordered: list[Service] = []
    state: dict[str, str] = {BASE: "done"}

    def visit(name: str, asked_by: str) -> None:
        if state.get(name) == "done":
            return
        if state.get(name) == "open":
            raise BadTree(f"{name} depends on itself, by way of {asked_by}")
        state[name] = "open"
        if name in bundles:
            for member in sorted(bundles[name]):
                visit(member, name)
        elif name in found:
            for dependency in sorted(found[name].dependencies):
                visit(dependency, name)
            ordered.append(found[name])
        else:
            raise BadTree(f"{asked_by} names {name}, which there is not")
        state[name] = "done"

    for name in sorted(wanted):
        visit(name, "user")
    if unused := set(found) - {service.name for service in ordered}:
        raise BadTree(f"never started: {', '.join(sorted(unused))}")
    for service in ordered:
        if not service.dependencies:
            raise BadTree(f"{service.name} depends on nothing, not even on {BASE}: it may come before the file systems are ready")
    return ordered


def _type(folder: Path) -> str:
    file = folder / "type"
    if not file.exists():
        if folder.name == "user":  # s6-overlay brings its type
            return "bundle"
        raise BadTree(f"{folder.name} has no type")
    return file.read_text().strip()


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _read(folder: Path, root: Path) -> Service:
    kind = _type(folder)
    name = folder.name
    if kind not in ("longrun", "oneshot"):
        raise BadTree(f"{name}: {kind} is no type that is known here")
    if (folder / "dependencies").exists() or (folder / "producer-for").exists() or (folder / "consumer-for").exists():
        raise BadTree(f"{name}: pipelines and the old file of dependencies are not for this tree")
    if strange := _names(folder) - _FILES[kind]:
        raise BadTree(f"{name}: {', '.join(sorted(strange))} means nothing for a {kind}")
    for timeout in _MILLISECONDS:
        text = (folder / timeout).read_text().strip() if (folder / timeout).exists() else "0"
        if not text.isdecimal():
            raise BadTree(f"{name}: {timeout} must be milliseconds")
    if kind == "longrun":
        _check_script(folder / "run", name)
        if (folder / "finish").exists():
            _check_script(folder / "finish", name)
        fd = (folder / "notification-fd").read_text().strip() if (folder / "notification-fd").exists() else "3"
        if not fd.isdecimal() or int(fd) < 3:
            raise BadTree(f"{name}: notification-fd must be 3 or more")
    else:
        if not (folder / "up").exists():
            raise BadTree(f"{name}: a oneshot needs a file up")
        for step in ("up", "down"):
            if (folder / step).exists():
                line = (folder / step).read_text().strip()
                if "\n" in line or not line.startswith("/"):
                    raise BadTree(f"{name}: {step} must be one line, the path of a script")
                _check_script(root / line.split()[0].lstrip("/"), name)
    return Service(folder, kind, _names(folder / "dependencies.d"))


def _check_script(file: Path, name: str) -> None:
    if not file.is_file():
        raise BadTree(f"{name}: {file.name} is missing")
    if not file.stat().st_mode & stat.S_IXUSR:
        raise BadTree(f"{name}: {file.name} cannot be executed")
    if not file.read_bytes().startswith(b"#!"):
        raise BadTree(f"{name}: {file.name} does not say what runs it")


def install(root: Path, run: Path) -> None:
    """Put into a root folder, and into what will be its /run, what s6-overlay has there."""
    commands = root / "command"
    commands.mkdir()
    for folder in (S6, EXECLINE):
        for program in sorted(folder.glob("s6-*") if folder == S6 else folder.iterdir()):
            if not (commands / program.name).is_symlink():
                (commands / program.name).symlink_to(program)
    _write_script(commands / "with-contenv", f'exec s6-envdir -fn {ENVIRONMENT} "$@"')
    halt = run / "s6/basedir/bin/halt"
    halt.parent.mkdir(parents=True)
    _write_script(halt, "kill -USR2 1")
    (run / EXIT_CODE.relative_to("/run")).parent.mkdir()


def _write_script(file: Path, line: str) -> None:
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


class Init:
    """Process 1."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.verbose = int(environment.get("S6_VERBOSITY", "2")) > 1
        self.grace = int(environment.get("S6_KILL_GRACETIME", "3000")) / 1000
        self.stage2_fails = environment.get("S6_BEHAVIOUR_IF_STAGE2_FAILS", "0")
        self.asked_to_stop = False
        self._ended: dict[int, int] = {}
        signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
        ENVIRONMENT.mkdir(parents=True)
        for name, value in environment.items():
            (ENVIRONMENT / name).write_text(value)

    def run(self) -> int:
        """Bring everything up, wait for the end, take everything down; gives the exit code."""
        code = 0
        services = read_tree(Path("/"))
        up: list[Service] = []
        self._prepare(service for service in services if service.kind == "longrun")
        for service in services:
            if self.asked_to_stop:
                break
            self._say(f"starting {service.name}")
            up.append(service)
            if not self._up(service) and not self.asked_to_stop:
                print(f"s6-rc: warning: unable to start service {service.name}", flush=True)
                if self.stage2_fails == "2":
                    code = 1
                    self.asked_to_stop = True
        self._wait(lambda: self.asked_to_stop, None)
        for service in reversed(up):
            self._say(f"stopping {service.name}")
            self._down(service)
        self._end_all()
        if EXIT_CODE.exists():
            code = int(EXIT_CODE.read_text().strip() or 0)
        return code

    def _prepare(self, longruns: Iterable[Service]) -> None:
        SERVICES.mkdir()
        folders = []
        for service in longruns:
            folder = SERVICES / service.name
            shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns("dependencies.d", "type"))
            (folder / "down").touch()
            folders.append(folder)
        self._start(["s6-svscan", str(SERVICES)])
        for folder in folders:
            while self._do(["s6-svok", str(folder)], 5) != 0:
                time.sleep(0.01)

    def _up(self, service: Service) -> bool:
        limit = service.milliseconds("timeout-up")
        if service.kind == "oneshot":
            line = service.text("up") or ""
            return self._do(["execlineb", "-Pc", line], limit / 1000 or None) == 0
        ready = "-uwU" if service.text("notification-fd") else "-uwu"
        return self._do(["s6-svc", ready, "-T", str(limit), str(SERVICES / service.name)], None) == 0

    def _down(self, service: Service) -> None:
        limit = service.milliseconds("timeout-down")
        if service.kind == "longrun":
            self._do(["s6-svc", "-wD", "-T", str(limit), "-d", str(SERVICES / service.name)], None)
        elif (line := service.text("down")) is not None:
            self._do(["execlineb", "-Pc", line], limit / 1000 or None)

    def _end_all(self) -> None:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(-1, kind)
            except ProcessLookupError:
                return
            self._wait(lambda: False, self.grace)  # in full, as s6-overlay does
            self.grace = 0.05

    def _do(self, command: Sequence[str], seconds: float | None) -> int:
        """Run a program to its end; gives its exit code, -1 when it took too long."""
        pid = self._start(command)
        if not self._wait(lambda: pid in self._ended, seconds):
            os.kill(pid, signal.SIGKILL)
            return -1
        return os.waitstatus_to_exitcode(self._ended.pop(pid))

    def _start(self, command: Sequence[str]) -> int:
        """As s6-overlay does: nothing of the container's environment."""
        process = subprocess.Popen(command, env={"PATH": PATH}, preexec_fn=_unblock)  # noqa: PLW1509 - there are no threads
        process.returncode = 0  # it is waited for here, like all orphans
        return process.pid

    def _wait(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Until it is so; reaps whatever ends, and takes note of signals."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            self._reap()
            if condition():
                return True
            left = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
            if left <= 0:
                return False
            taken = signal.sigtimedwait(_TAKEN, left)
            if taken is not None and taken.si_signo != signal.SIGCHLD:
                self.asked_to_stop = True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended[pid] = status

    def _say(self, text: str) -> None:
        if self.verbose:
            print(f"s6-rc: info: {text}", flush=True)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TAKEN)


if __name__ == "__main__":
    sys.exit(Init(dict(os.environ)).run())
