"""The container with the real signal-cli: it comes up quickly, stays small, and comes back."""

import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from tests.app.standin.container import Container
from tests.app.standin.network import inside
from tests.e2e.lab.distribution import Distribution, Unavailable, ensure_signal_cli
from tests.e2e.lab.laboratory import CACHE
from tests.e2e.lab.overlay import prepare

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("stage"), pytest.mark.real]

MOST_MEMORY = 170
"""MiB of the whole container, idle."""
MOST_SECONDS = 15
"""Until signal-cli answers on a busy machine; 2 to 4 on a quiet one."""


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Distribution]:
    """A folder as the image has it at /opt/signal-cli: no native libraries in the jar, the one that is needed beside it."""
    try:
        distribution = ensure_signal_cli(CACHE)
    except Unavailable as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("signal-cli")
    folder.chmod(0o755)
    (folder / "lib").mkdir()
    (folder / "native").mkdir()
    for jar in distribution.jars:
        if jar.name.startswith("libsignal-client-"):
            _without_natives(jar, folder / "lib" / jar.name)
        else:
            shutil.copy(jar, folder / "lib" / jar.name)
    shutil.copy(prepare(distribution, CACHE).overlay / "libsignal_jni_amd64.so", folder / "native" / "libsignal_jni.so")
    return folder, distribution


def _without_natives(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith((".so", ".dylib", ".dll")):
                new.writestr(entry, old.read(entry))


def test_the_real_signal_cli_is_ready_soon_small_when_idle_and_back_when_it_died(real: tuple[Path, Distribution], tmp_path: Path) -> None:
    engine, distribution = real
    tmp_path.chmod(0o755)
    (tmp_path / "data").mkdir()

    async def test() -> None:
        async with Container.running(
            tmp_path, volumes={tmp_path / "data": "/data"}, engine=engine, java=distribution.java_home
        ) as container:
            await container.up()
            answers = time.monotonic() - container.begun
            token = await container.first_token()
            accounts = await container.answers("/v1/accounts", 200, token=token)
            ready = time.monotonic() - container.begun
            assert accounts.json() == []
            about = (await container.call("GET", "/api/v2/status", token=token)).json()
            assert about["engine"]["version"] == "0.13.19"
            memory = container.memory()
            total = sum(memory.values()) // 1024
            print(f"\nload {os.getloadavg()[0]:.1f}: answers after {answers:.2f} s, signal-cli after {ready:.2f} s, {total} MiB when idle:")
            print("\n".join(f"  {size // 1024:4} MiB  {name}" for name, size in sorted(memory.items(), key=lambda item: -item[1])[:4]))
            assert ready < MOST_SECONDS
            assert total < MOST_MEMORY
            killed = container.kill("org.asamk.signal.Main")
            begun = time.monotonic()
            while (again := container.pid("org.asamk.signal.Main")) in (None, killed):
                assert time.monotonic() - begun < 60
                await container.answers("/v1/health", 401)
            assert (await container.answers("/v1/accounts", 200, token=token)).json() == []
            print(f"killed, and ready again after {time.monotonic() - begun:.2f} s (process {again})")
            code, seconds = await container.stop()
            print(f"stopped in {seconds:.2f} s")
            assert (code, seconds < 8) == (0, True), container.log

    inside(test)
