"""The lab put together: prepared files, servers, people."""

import asyncio
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.e2e.lab.daemon import Daemon, running_daemon
from tests.e2e.lab.datafolder import write_accounts
from tests.e2e.lab.levers import Levers
from tests.e2e.lab.overlay import Prepared, write_launcher
from tests.e2e.lab.person import Person
from tests.e2e.lab.startup import Start, Started

ROOT = Path(__file__).parents[3]
"""The checkout."""
CACHE = ROOT / ".cache" / "lab"

PEOPLE: Mapping[str, str] = {"Ann": "+4915100000101", "Ben": "+4915100000102", "Cleo": "+4915100000103"}
"""Who is on Signal beside the accounts under test."""

_START_SECONDS = 120
_STOP_SECONDS = 30


@dataclass(slots=True)
class Lab:
    """A running stand-in for Signal with people on it."""

    launcher: Path
    """To be run as `signal-cli`."""
    levers: Levers
    folder: Path
    """Gone when the lab ends; its path is short enough for sockets."""
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def ann(self) -> Person:
        """She."""
        return self.people["Ann"]

    @property
    def ben(self) -> Person:
        """He."""
        return self.people["Ben"]

    @property
    def cleo(self) -> Person:
        """The third."""
        return self.people["Cleo"]


@contextlib.asynccontextmanager
async def running_lab(prepared: Prepared, *, with_people: bool = True) -> AsyncIterator[Lab]:
    """Starts the servers, and one signal-cli with all `PEOPLE`. Several labs may run side by side; none leaves anything behind."""
    folder = Path(tempfile.mkdtemp(prefix="signal-lab-"))
    try:
        async with _running_servers(prepared, folder) as started, Levers(started.lever_port) as levers:
            launcher = write_launcher(
                prepared, folder, port=started.port, trust_root=started.trust_root, zk_parameters=started.zk_parameters
            )
            lab = Lab(launcher, levers, folder)
            if not with_people:
                yield lab
                return
            home = folder / "people"
            accounts = write_accounts(home, list(PEOPLE.values()))
            await levers.load(home)
            async with running_daemon(launcher, home, _subfolder(folder, "d")) as daemon:
                acis = {account.number: account.aci_account_data.service_id for account in accounts}
                lab.people = {name: Person(name, number, acis[number], daemon) for name, number in PEOPLE.items()}
                await _introduce(lab.people)
                yield lab
    except Exception as error:
        for log in (folder / "servers.log", folder / "d" / "log"):
            if log.exists():
                error.add_note(f"-- {log.parent.name}/{log.name} ends:\n{log.read_text(errors='replace')[-4000:]}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def running_accounts(lab: Lab, name: str, numbers: list[str]) -> AsyncIterator[tuple[Daemon, Path]]:
    """A further signal-cli with registered accounts of its own, and its data folder."""
    home = lab.folder / name
    write_accounts(home, numbers)
    await lab.levers.load(home)
    async with running_daemon(lab.launcher, home, _subfolder(lab.folder, f"{name}-d")) as daemon:
        yield daemon, home


async def _introduce(people: Mapping[str, Person]) -> None:
    """Gives everybody a profile, and the key of it to everybody else: who does not know it cannot put its owner into a group."""
    for person in people.values():
        await person.call("updateProfile", givenName=person.name)
    for one, other in itertools.combinations(people.values(), 2):
        await one.greets(other.aci, f"I am {one.name}")
        await other.greets(one.aci, f"I am {other.name}")


@contextlib.asynccontextmanager
async def _running_servers(prepared: Prepared, folder: Path) -> AsyncIterator[Started]:
    with (folder / "servers.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.e2e.lab.server",
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        start = Start(
            java_home=str(prepared.distribution.java_home),
            class_path=[str(entry) for entry in prepared.class_path],
            certificate=str(prepared.certificate),
            scratch=str(_subfolder(folder, "s")),
        )
        process.stdin.write(msgspec.json.encode(start) + b"\n")
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the lab's servers did not start: {(folder / 'servers.log').read_text()[-2000:]}")
        yield msgspec.json.decode(line, type=Started)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _subfolder(folder: Path, name: str) -> Path:
    created = folder / name
    created.mkdir()
    return created
