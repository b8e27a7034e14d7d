"""The container from start to end: the real scripts, from the real tree, under real supervision, in a network of their own."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.app.standin.container import HOSTNAME, Container
from tests.app.standin.network import APP, inside
from tests.app.standin.supervisor import Supervisor
from tests.fakes.listener import frame_of
from tests.fakes.signal_cli import write_account

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("stage")]

ANN = "+4915100000001"
BOB = "+4915100000011"


class House:
    """A machine with Home Assistant: the Supervisor, and the app's folder."""

    def __init__(self, folder: Path, engine: Path | None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(mode=0o755)
        self.engine = engine
        self.supervisor = Supervisor()
        self.volumes: dict[Path, str] = {self.data: "/data"}

    def set(self, **options: object) -> None:
        """What a person sets in the app's configuration."""
        file = self.data / "options.json"
        file.write_text(json.dumps(options))
        file.chmod(0o600)

    @property
    def config(self) -> Path:
        """signal-cli's folder."""
        folder = self.data / "signal-cli"
        folder.mkdir(exist_ok=True)
        return folder

    @contextlib.asynccontextmanager
    async def app(self, environment: Mapping[str, str] | None = None, **more: Any) -> AsyncIterator[Container]:
        """The app, started by the Supervisor."""
        given = {"SUPERVISOR_TOKEN": self.supervisor.token, "HASSIO_TOKEN": self.supervisor.token, "TZ": "UTC", **(environment or {})}
        async with (
            self.supervisor.running(),
            Container.running(self.folder, volumes=self.volumes, engine=self.engine, environment=given, **more) as container,
        ):
            yield container

    async def discovered(self, container: Container, within: float = 20) -> Mapping[str, Any]:
        """What Home Assistant is told, once it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.supervisor.messages:
                    await asyncio.sleep(0.01)
        assert self.supervisor.messages, container.log
        (message,) = self.supervisor.messages.values()
        config: Mapping[str, Any] = message["config"]
        return config


@pytest.fixture
def house(tmp_path: Path, fake_engine: Path) -> House:
    tmp_path.chmod(0o755)
    house = House(tmp_path, fake_engine)
    house.set()
    return house


def test_it_boots_answers_and_tells_home_assistant(house: House) -> None:
    write_account(house.config, ANN)

    async def test() -> None:
        async with house.app() as container:
            found = await house.discovered(container)
            seconds = time.monotonic() - container.begun
            token = container.token(house.data)
            assert found == {"host": HOSTNAME, "port": 8080, "token": token}
            print(f"\nfrom start to discovery: {seconds:.2f} s")
            assert seconds < 6
            about = await container.answers("/api/v2/status", 200, token=token)
            assert about.json()["engine"]["state"] in ("ready", "starting")
            assert (await container.answers("/v1/accounts", 200, token=token)).json() == [ANN]
            assert (await container.call("GET", "/v1/accounts")).status == 401
            # ingress: the Supervisor alone, without a token, and whatever it serves knows its prefix
            assert (await container.call("GET", "/v1/about", port=8099)).status == 403
            status, body, kind = await house.supervisor.ingress(APP, 8099, "/v1/accounts")
            assert (status, json.loads(body), kind) == (200, [ANN], "application/json")
            status, body, _ = await house.supervisor.ingress(APP, 8099, "/openapi.json")
            assert json.loads(body)["servers"] == [{"url": house.supervisor.ingress_path}]
            code, seconds = await container.stop()
            print(f"from SIGTERM to the end: {seconds:.2f} s")
            assert code == 0, container.log
            assert seconds < 5

    inside(test)
