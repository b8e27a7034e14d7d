"""What is in the image, and what it does when it is started: with the real signal-cli, the real tree, and no network but its own."""

import contextlib
import json
import stat
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from signal_courier.app import layout
from tests.app.standin.container import HOSTNAME, Container
from tests.app.standin.network import APP, inside
from tests.app.standin.supervisor import Supervisor
from tests.image.builder import Image
from tests.image.stage import Specification
from tests.packaging.description import load

pytestmark = pytest.mark.timeout(900)

TOOLS = ("gcc", "cc", "make", "pip", "pip3", "uv", "javac", "jlink", "zip", "unzip", "strip", "git")


@contextlib.asynccontextmanager
async def started(image: Image, folder: Path, volumes: Mapping[Path, str], environment: Mapping[str, str]) -> AsyncIterator[Container]:
    """`docker run`."""
    (folder / "root").mkdir()
    specification = Specification(
        layers=str(image.root),
        folder=str(folder / "root"),
        volumes={str(source): target for source, target in volumes.items()},
        environment={**image.environment, **environment},
        hostname=HOSTNAME,
        address=APP,
        program=list(image.entrypoint),
    )
    async with Container.staged(Path(__file__).with_name("stage.py"), specification, folder / "log") as container:
        yield container


def test_it_is_small_and_holds_nothing_to_build_with(image, capsys):
    here = [
        path
        for folder in ("bin", "usr/bin", "usr/local/bin", "opt/java/bin", "opt/signal-courier/bin")
        for path in (image.root / folder).iterdir()
    ]
    assert {path.name for path in here} & set(TOOLS) == set()
    for folder in ("usr/include", "root/.cache", "build", "download", "var/cache/apt", "var/lib/apt/lists"):
        assert list((image.root / folder).glob("*")) == [], folder
    natives = sorted(path.name for path in (image.root / "opt/signal-cli/native").iterdir())
    assert natives == ["libsignal_jni.so", "libsqlitejdbc.so"]
    size = sum(layer.size for layer in image.layers)
    with capsys.disabled():
        print(
            f"\nimage: {size / 1e6:.0f} MB over its base, built in {image.seconds:.0f} s; layers:",
            *(f"{layer.size / 1e6:.0f}" for layer in image.layers),
        )
    assert size < 260e6


def test_everything_is_described_as_docker_and_home_assistant_want_it(image):
    assert image.healthcheck == ["CMD", str(layout.HEALTH)]
    assert image.entrypoint == ["/init"]
    assert image.user == "", "s6 prepares the folders, then gives up root"
    assert image.labels["io.hass.type"] == "app"
    assert {"io.hass.version", "io.hass.arch", "org.opencontainers.image.licenses"} <= set(image.labels)
    assert image.environment["S6_BEHAVIOUR_IF_STAGE2_FAILS"] == "2"
    assert (image.root / "usr/share/doc/signal-courier/NOTICE").read_text().count("http") > 4
    for program in ("signal-courier", "signal-courier-health"):
        assert stat.S_IMODE((image.root / "usr/bin" / program).stat().st_mode) == 0o755
    assert "/opt" not in image.environment.get("PATH", ""), "`signal-courier` is the one that knows the container's folders and user"


def test_the_service_ships_its_bytecode(image):
    packages = next((image.root / "opt/signal-courier/lib").glob("python3*/site-packages"))
    sources = sorted((packages / "signal_courier").rglob("*.py"))
    assert len(sources) > 100
    for source in sources:
        compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
        assert compiled, source
        assert compiled[0].read_bytes()[4] == 1, "checked by nothing: a layer of an image keeps no fractions of seconds"


def users(container: Container) -> set[int]:
    """As whom signal-cli and the service run."""
    found: set[int] = set()
    for pid in container.processes():
        if b"/opt/" in Path(f"/proc/{pid}/cmdline").read_bytes():
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            found.update(map(int, next(line for line in status if line.startswith("Uid:")).split()[1:]))
    return found


def test_it_boots_as_the_app_with_the_real_signal_cli(image, tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "options.json").write_text("{}")
    tmp_path.chmod(0o755)
    supervisor = Supervisor()

    async def test() -> None:
        environment = {"SUPERVISOR_TOKEN": supervisor.token, "HASSIO_TOKEN": supervisor.token, "TZ": "UTC"}
        async with supervisor.running(), started(image, tmp_path, {data: str(layout.DATA)}, environment) as container:
            await container.answers("/v1/accounts", 401)
            http = time.monotonic() - container.begun
            token = container.token(data)
            await container.answers("/v1/accounts", 200, token=token)
            ready = time.monotonic() - container.begun
            assert (await container.call("GET", "/swagger/index.html", token=token)).status == 200
            code, said = await container.run(*image.healthcheck[1:])
            assert code == 0, said
            about = (await container.call("GET", "/api/v2/status", token=token)).json()
            assert "0.13.19" in json.dumps(about), about
            assert users(container) == {layout.USER}
            memory = sum(container.memory().values()) // 1024
            code, seconds = await container.stop()
            assert code == 0, container.log
            assert seconds < 8  # Docker kills after 10
            with capsys.disabled():
                print(
                    f"\nimage: answers after {http:.1f} s, signal-cli ready after {ready:.1f} s, {memory} MiB, stopped in {seconds:.1f} s"
                )

    inside(test)


def test_the_documented_first_steps_work_on_the_apps_page(image, tmp_path):
    """DOCS.md: link, send, receive, make a token for a program, without a phone: with the option engine set to simulator."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "options.json").write_text('{"engine": "simulator"}')
    tmp_path.chmod(0o755)
    supervisor = Supervisor()

    async def test() -> None:
        environment = {"SUPERVISOR_TOKEN": supervisor.token, "HASSIO_TOKEN": supervisor.token}
        async with supervisor.running(), started(image, tmp_path, {data: str(layout.DATA)}, environment) as container:
            await container.answers("/v1/accounts", 401)
            token = container.token(data)
            await container.answers("/v1/accounts", 200, token=token)
            page = load()["ingress_entry"]
            status, body, _ = await supervisor.ingress(APP, layout.INGRESS_PORT, f"/{page}")
            assert (status, b"swagger" in body.lower()) == (200, True)
            status, body, kind = await supervisor.ingress(APP, layout.INGRESS_PORT, "/v1/qrcodelink?device_name=home")
            assert (status, kind, body[:4]) == (200, "image/png", b"\x89PNG")
            account = json.loads((await supervisor.ingress(APP, layout.INGRESS_PORT, "/v1/accounts"))[1])[0]
            hello = {"number": account, "recipients": [account], "message": "Hello from home"}
            assert (await container.call("POST", "/v2/send", hello, token=token)).status == 201
            made = await container.call("POST", "/api/v2/tokens", {"name": "nas", "scopes": ["send"]}, token=token)
            assert made.status == 201, made.body
            nas = made.json()["token"]
            assert (await container.call("POST", f"/t/{nas}/v2/send", hello)).status == 201
            assert (await container.call("GET", f"/t/{nas}/v1/receive/{account}")).status == 403
            code, _ = await container.stop()
            assert code == 0, container.log

    inside(test)


def test_it_takes_the_volume_of_upstream_without_a_supervisor(image, tmp_path):
    volume = tmp_path / "signal-cli-config"
    volume.mkdir(mode=0o755)
    tmp_path.chmod(0o755)

    async def test() -> None:
        environment = {"MODE": "json-rpc", "COURIER_TOKEN": "a-token-for-this-test-alone"}
        async with started(image, tmp_path, {volume: str(layout.UPSTREAM_DATA)}, environment) as container:
            await container.answers("/v1/accounts", 200, token="a-token-for-this-test-alone")
            code, _ = await container.stop()
            assert code == 0, container.log

    inside(test)
    assert (volume / "data").exists() or any(volume.iterdir())
