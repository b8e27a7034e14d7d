"""The container from start to end: the real scripts, from the real tree, under real supervision, in a network of their own."""

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.app.standin.container import HOSTNAME, ROOTFS, Container
from tests.app.standin.network import APP, inside
from tests.app.standin.supervisor import Supervisor
from tests.fakes.listener import frame_of
from tests.fakes.signal_cli import write_account

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("stage")]

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

    async def discovered(self, container: Container, within: float = 60) -> Mapping[str, Any]:
        """What Home Assistant is told, once it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.supervisor.messages:  # noqa: ASYNC110 - the stand-in is plain
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
            assert seconds < 15
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
            assert seconds < 8  # Docker kills after 10

    inside(test)


def test_options_take_effect(house: House) -> None:
    write_account(house.config, ANN)
    house.set(auth="open", dialect="0.100", log_level="debug", ignore_stories=True, default_account="4915100000001", java_memory_mib=128)

    async def test() -> None:
        async with house.app() as container:
            await container.answers("/v1/accounts", 200)  # open: no token
            sent = await container.call("POST", "/v2/send", {"message": "hi", "recipients": [BOB]})
            assert sent.status == 201
            assert "timestamp" in sent.json()  # 0.100 answers an object
            assert (await container.call("GET", "/v1/configuration")).json() == {"logging": {"Level": "debug"}}
            started = json.loads((house.config / "starts.log").read_text().splitlines()[0])
            assert "--ignore-stories" in started["arguments"]
            assert started["java_opts"].endswith("-Xms16m -Xmx128m")

    inside(test)


@pytest.mark.parametrize("trouble", ["an option that cannot be", "a folder that cannot be written"])
def test_a_failed_preparation_ends_the_container_with_1_and_says_why(trouble: str, house: House) -> None:
    if trouble == "an option that cannot be":
        house.set(webhook_url="not an address")
        said = "RECEIVE_WEBHOOK_URL"
    else:
        house.config.rmdir()
        (house.data / "signal-cli").write_text("a file")
        said = "/data/signal-cli"

    async def test() -> None:
        async with house.app() as container:
            assert await container.ended() == 1, container.log
            assert said in container.log
            assert not house.supervisor.messages

    inside(test)


def test_a_signal_cli_that_is_killed_comes_back_and_the_service_stays(house: House) -> None:
    write_account(house.config, ANN)
    behaviour = house.config / "behaviour.json"

    async def test() -> None:
        async with house.app() as container:
            await house.discovered(container)
            token = container.token(house.data)
            await container.answers("/v1/accounts", 200, token=token)
            service = container.pid("signal_courier serve")
            behaviour.write_text('{"fail": "ERROR no luck today"}')
            container.kill("signal_cli.py")
            await _reach(lambda: "no luck today" in container.log)
            await container.answers("/v1/accounts", 503, token=token)
            assert (await container.call("GET", "/v1/health", token=token)).status == 204  # it is no reason to restart the container
            behaviour.unlink()
            await container.answers("/v1/accounts", 200, token=token)
            assert container.pid("signal_courier serve") == service
            assert "signal-cli has ended (code 256, signal 9)" in container.log

    inside(test)


def test_a_killed_service_ends_the_container_and_nothing_that_was_received_is_lost(house: House) -> None:
    write_account(house.config, ANN)
    total = 1200
    (house.config / "mailbox.jsonl").write_bytes(b"".join(frame_of(ANN, number) + b"\n" for number in range(total)))
    (house.config / "behaviour.json").write_text('{"spacing": 0.0005}')
    delivered = house.config / "mailbox.delivered"

    def count() -> int:
        return int(delivered.read_text() or 0) if delivered.exists() else 0

    async def test() -> None:
        received: list[int] = []
        for kind in ("kill", "stop", "kill"):
            before = count()
            async with house.app() as container:
                await house.discovered(container)
                await _reach(lambda: count() > before + 100)  # noqa: B023 - it is waited for here
                if kind == "kill":
                    container.kill("signal_courier serve")
                    assert await container.ended() == 137, container.log
                else:
                    code, seconds = await container.stop()
                    assert (code, seconds < 8) == (0, True), container.log
        async with house.app() as container:
            token = container.token(house.data)
            await container.up()
            await _reach(lambda: count() == total)
            while (received and received[-1] != total - 1) or not received:
                batch = await container.call("GET", f"/v1/receive/{ANN}?timeout=1", token=token)
                received += [envelope["envelope"]["timestamp"] for envelope in batch.json()]
        assert list(dict.fromkeys(received)) == list(range(total)), "lost or reordered"

    inside(test)


def test_what_waits_to_be_sent_is_sent_after_a_restart(house: House) -> None:
    write_account(house.config, ANN)
    behaviour = house.config / "behaviour.json"
    behaviour.write_text('{"fail": "ERROR no network"}')

    async def test() -> None:
        async with house.app() as container:
            await house.discovered(container)
            token = container.token(house.data)
            asked = await container.call(
                "POST", "/api/v2/messages", {"recipients": [BOB], "text": "hi", "account": ANN, "wait": 0}, token=token
            )
            assert asked.status == 202, asked
            code, seconds = await container.stop()
            assert (code, seconds < 8) == (0, True), container.log
        behaviour.unlink()
        async with house.app() as container:
            await container.answers("/v1/accounts", 200, token=token)
            until_sent = f"/api/v2/messages/{asked.json()['id']}?wait=30&until=sent"
            state = (await container.call("GET", until_sent, token=token)).json()["state"]
            assert state == "sent", container.log

    inside(test)


def test_home_assistant_is_told_again_only_of_news_and_not_at_all_where_unwanted(house: House) -> None:
    house.set(engine="simulator")
    house.supervisor.failing = 2

    async def test() -> None:
        async with house.app() as container:
            first = await house.discovered(container)
            assert len((await container.answers("/v1/accounts", 200, token=first["token"])).json()) > 0
        assert house.supervisor.asked == ["POST /discovery"] * 3
        async with house.app() as container:
            await _reach(lambda: len(house.supervisor.asked) == 4)
            assert await house.discovered(container) == first
        (house.data / "courier" / "home-assistant.token").write_text("lost\n")
        async with house.app() as container:
            await _reach(lambda: len(house.supervisor.asked) == 5)
            second = await house.discovered(container)
            await container.answers("/v1/accounts", 200, token=second["token"])
            assert (await container.call("GET", "/v1/accounts", token=first["token"])).status == 401
        house.set(engine="simulator", discovery=False)
        async with house.app() as container:
            await _reach(lambda: not house.supervisor.messages)
            await container.up()

    inside(test)


def test_on_demand_signal_cli_runs_only_while_it_is_needed(house: House) -> None:
    write_account(house.config, ANN)
    house.set(mode="normal")

    async def test() -> None:
        async with house.app() as container:
            await house.discovered(container)
            assert container.pid("signal_cli.py") is None
            await container.answers("/v1/accounts", 200, token=container.token(house.data))
            assert container.pid("signal_cli.py") is not None
            assert (await container.stop())[0] == 0

    inside(test)


def test_the_accounts_of_the_old_app_are_imported_once_and_only_when_asked(house: House, tmp_path: Path) -> None:
    old = tmp_path / "apps" / "1315902c_signal_messenger"
    write_account(old, ANN)
    house.volumes[tmp_path / "apps"] = "/addon_configs"

    async def accounts(expected: list[str]) -> list[str]:
        """Those that signal-cli has; one that has just started may still be loading them."""
        found: list[str] = []
        async with house.app() as container:
            await house.discovered(container)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while (found := (await container.answers("/v1/accounts", 200, token=container.token(house.data))).json()) != expected:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
        return found

    async def test() -> None:
        assert await accounts([]) == []
        house.set(import_old_app=True)
        assert await accounts([ANN]) == [ANN]
        write_account(old, "+4915100000002")
        assert await accounts([ANN]) == [ANN]

    inside(test)


def test_plain_docker_takes_the_volume_of_upstream_and_keeps_everything_in_it(house: House, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    write_account(volume, ANN)
    for path in (volume, *volume.rglob("*")):
        os.chown(path, 1000, 1000)

    async def test() -> None:
        for again in (False, True):
            async with Container.running(
                house.folder, volumes={volume: "/home/.local/share/signal-cli"}, engine=house.engine, read_only=True
            ) as container:
                await container.up()
                if not again:
                    token = await container.first_token()
                assert (await container.answers("/v1/accounts", 200, token=token)).json() == [ANN]
                assert (volume / ".signal-courier" / "courier.db").stat().st_uid == 1000
                health = ROOTFS / "usr/bin/signal-courier-health"
                assert (await container.run(str(health)))[0] == 0
                assert "first admin" in (await container.run(str(ROOTFS / "usr/bin/signal-courier"), "token", "list"))[1]
                with pytest.raises(aiohttp.ClientConnectorError):
                    await container.call("GET", "/v1/about", port=8099)
                assert "Nothing outlives this container" not in container.log
                assert {_owner(pid) for pid in container.processes() if _is_ours(pid)} == {1000}
                code, seconds = await container.stop()
                assert (code, seconds < 8) == (0, True), container.log

    inside(test)


def test_a_backup_is_restored_into_an_empty_volume_by_the_command_of_the_image(house: House, tmp_path: Path) -> None:
    command = str(ROOTFS / "usr/bin/signal-courier")
    backups = tmp_path / "backups"
    volumes = [tmp_path / "old", tmp_path / "new"]
    for folder in (backups, *volumes):
        folder.mkdir()
    write_account(volumes[0], ANN)
    upstream = "/home/.local/share/signal-cli"
    secret = {"COURIER_BACKUP_PASSPHRASE": "correct horse battery staple"}

    async def test() -> None:
        async with Container.running(house.folder, volumes={volumes[0]: upstream}, engine=house.engine) as container:
            await container.up()
            headers = {"Backup-Passphrase": secret["COURIER_BACKUP_PASSPHRASE"]}
            whole = await container.call("GET", "/api/v2/backup?encrypted=true", token=await container.first_token(), headers=headers)
            assert whole.status == 200
            (backups / "courier.backup").write_bytes(whole.body)
            await container.stop()
        async with Container.running(
            house.folder,
            volumes={volumes[1]: upstream, backups: "/backup"},
            engine=house.engine,
            environment=secret,
            entrypoint=[command, "restore", "/backup/courier.backup"],
        ) as container:
            assert await container.ended() == 0, container.log
        assert {path.stat().st_uid for path in (volumes[1], *volumes[1].rglob("*"))} == {1000}
        async with Container.running(house.folder, volumes={volumes[1]: upstream}, engine=house.engine) as container:
            await container.up()
            _, made = await container.run(command, "token", "create", "new", "--scope", "admin")
            token = re.search(r"sgc_\S+", made)
            assert token, made
            assert (await container.answers("/v1/accounts", 200, token=token[0])).json() == [ANN]

    inside(test)


def test_plain_docker_runs_as_whom_it_is_told_to(house: House, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    write_account(volume, ANN)
    for path in (volume, *volume.rglob("*")):
        os.chown(path, 4321, 4321)

    async def test() -> None:
        async with Container.running(
            house.folder,
            volumes={volume: "/data/signal-cli"},
            engine=house.engine,
            user=4321,
            environment={"COURIER_DATA_DIR": "/tmp/courier"},
        ) as container:
            await container.up()
            assert "Nothing outlives this container" in container.log
            assert {_owner(pid) for pid in container.processes()} == {4321}
            assert (await container.stop())[0] == 0

    inside(test)


def test_a_variable_that_is_no_user_is_refused(house: House) -> None:
    async def test() -> None:
        async with Container.running(
            house.folder, volumes=house.volumes, engine=house.engine, environment={"SIGNAL_CLI_UID": "ann"}
        ) as container:
            assert await container.ended() == 1
            assert "SIGNAL_CLI_UID: must be a number" in container.log

    inside(test)


async def _reach(condition: Callable[[], bool], within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - files have no event
            await asyncio.sleep(0.01)


def _owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def _is_ours(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"signal_courier\0serve" in command or b"signal_cli.py" in command or b"keeper.py" in command
