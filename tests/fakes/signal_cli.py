#!/usr/bin/env python3
"""A stand-in for the signal-cli program, for tests that start, stop and kill it: up in 0.1 s, accounts on disk.

Understands the command line that the service uses (`--config DIR … daemon --socket PATH --receive-mode manual …`) and the
protocol of `tests.fakes.daemon`. Below the configuration folder:

* `data/accounts.json` and the account files, as signal-cli has them: registered accounts are loaded, unless a file
  `offline` says that there is no network; a registration of an own number or a link adds one.
* `mailbox.jsonl`: one `{"envelope", "account"}` a line, delivered in order to whoever subscribes. `mailbox.delivered`
  holds how many lines have been written to the socket completely, so that a later run goes on from there: an envelope is
  removed from the server when it has been handed over, never before.
* `behaviour.json`, all optional: `version`, `start_seconds`, `fail` (a line for stderr, then exit 2), `unknown_flags`,
  `deaf_to_sigterm`, `outlives_its_parent`, `lazy` (load accounts when they are named), `spacing` (seconds between envelopes).
* `starts.log`: a line for each start, with pid and arguments.
"""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fakes.daemon import Failure, FakeDaemon


class Program:
    """The daemon and the disk behind it."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.behaviour: dict[str, Any] = _read(config / "behaviour.json", {})
        if self.behaviour.get("outlives_its_parent"):
            ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG: nothing, as in a child of a start script
        self.daemon = FakeDaemon(accounts=self.registered() if self.online else (), version=self.behaviour.get("version", "0.14.6"))
        self.daemon.on("finishLink", self.finish_link)
        self.daemon.on("slow", self.slow)
        if self.behaviour.get("lazy"):
            self.daemon.on("getUserStatus", self.load_lazily)

    @property
    def online(self) -> bool:
        return not (self.config / "offline").exists()

    def registered(self) -> list[str]:
        index = _read(self.config / "data" / "accounts.json", {"accounts": []})
        files = {entry["number"]: self.config / "data" / entry["path"] for entry in index["accounts"]}
        return [number for number, file in files.items() if _read(file, {}).get("registered", True)]

    def load_lazily(self, params: dict[str, Any]) -> object:
        if params["account"] not in self.daemon.accounts:
            if not self.online:
                raise Failure(-32602, "Specified account does not exist")
            self.daemon.accounts.append(params["account"])
        return []

    def finish_link(self, params: dict[str, Any]) -> object:
        number = "+4915100000003"
        write_account(self.config, number, linked=True)
        self.daemon.accounts.append(number)
        return {"number": number}

    @staticmethod
    async def slow(params: dict[str, Any]) -> object:
        await asyncio.sleep(params["seconds"])
        return "done"

    async def run(self, socket: str) -> None:
        await asyncio.sleep(self.behaviour.get("start_seconds", 0))
        async with self.daemon:
            await self.daemon.listen_unix(Path(socket))
            print("INFO  DaemonCommand - Started JSON-RPC server on " + socket, file=sys.stderr, flush=True)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.terminate, socket)
            await self.deliver()

    def terminate(self, socket: str) -> None:
        if not self.behaviour.get("deaf_to_sigterm"):
            Path(socket).unlink(missing_ok=True)
            os._exit(143)

    async def deliver(self) -> None:
        """Hand over the mailbox, one envelope after another, for ever."""
        delivered_file = self.config / "mailbox.delivered"
        mailbox = self.config / "mailbox.jsonl"
        delivered = int(delivered_file.read_text() or 0) if delivered_file.exists() else 0
        spacing = self.behaviour.get("spacing", 0.0)
        while True:
            await self.daemon.wait_subscribed(3600)
            lines = mailbox.read_bytes().splitlines()[delivered:] if mailbox.exists() else []
            for line in lines:
                if not self.daemon.is_subscribed():
                    break
                self.daemon.notify_raw(line, json.loads(line)["account"])
                await self.daemon.flushed()
                delivered += 1
                _write_atomically(delivered_file, str(delivered))
                await asyncio.sleep(spacing)
            if not lines:
                await asyncio.sleep(0.02)


def write_account(config: Path, number: str, *, registered: bool = True, linked: bool = False, uuid: str | None = None) -> None:
    """Put an account on disk, or change it."""
    data = config / "data"
    data.mkdir(parents=True, exist_ok=True)
    index_file = data / "accounts.json"
    index = _read(index_file, {"accounts": [], "version": 2})
    path = number[-6:]
    if not any(entry["number"] == number for entry in index["accounts"]):
        index["accounts"].append({"path": path, "environment": "LIVE", "number": number, "uuid": uuid})
    (data / path).write_text(json.dumps({"version": 10, "number": number, "registered": registered, "deviceId": 2 if linked else 1}))
    index_file.write_text(json.dumps(index))


def _write_atomically(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def _read(file: Path, default: Any) -> Any:
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return default


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scrub-log", action="store_true")
    parser.add_argument("--output")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--trust-new-identities")
    parser.add_argument("command", choices=["daemon"])
    parser.add_argument("--socket")
    parser.add_argument("--receive-mode", choices=["manual"], required=True)
    parser.add_argument("--no-receive-stdout", action="store_true", required=True)
    for flag in ("--ignore-attachments", "--ignore-stories", "--ignore-avatars", "--ignore-stickers", "--send-read-receipts"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    config: Path = arguments.config
    config.mkdir(parents=True, exist_ok=True)
    with (config / "starts.log").open("a") as log:
        log.write(json.dumps({"pid": os.getpid(), "arguments": sys.argv[1:], "java_opts": os.environ.get("JAVA_OPTS")}) + "\n")
    program = Program(config)
    for flag in program.behaviour.get("unknown_flags", []):
        if flag in sys.argv:
            sys.exit(f"usage: signal-cli [-h] …\nsignal-cli: error: unrecognized arguments: '{flag}'")
    if program.behaviour.get("fail"):
        print(program.behaviour["fail"], file=sys.stderr)
        sys.exit(2)
    if Path(arguments.socket).exists():
        print(f"Failed to bind socket {arguments.socket}: Address already in use", file=sys.stderr)
        sys.exit(3)
    asyncio.run(program.run(arguments.socket))


if __name__ == "__main__":
    main()
