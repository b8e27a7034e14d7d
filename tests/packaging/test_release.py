import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.packaging.description import ROOT

FILES = (
    "CHANGELOG.md", "pyproject.toml", "addon/CHANGELOG.md", "addon/Dockerfile", "addon/config.yaml", "addon/pyproject.toml",
    "addon/signal_courier/__init__.py", "custom_components/signal_courier/manifest.json", "docs/docker.md", "docs/examples/compose.yaml",
    "docs/examples/kubernetes.yaml", "docs/migrate-from-bbernhard.md", "scripts/release", "scripts/lib/common.sh", "scripts/lib/tools.sh",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\necho "uv 99.0"\n')  # the lock needs a network
    uv.chmod(0o755)
    return tmp_path


def release(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run([folder / "scripts/release", version], env=environment, capture_output=True, text=True, check=False, timeout=50)


def test_one_command_gives_everything_the_same_version(folder):
    for name in ("CHANGELOG.md", "addon/CHANGELOG.md"):
        with (folder / name).open("a") as file:
            file.write("\n## 7.8.9\n\nSomething new.\n")
    done = release(folder, "7.8.9")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((folder / "addon/config.yaml").read_text())["version"] == "7.8.9"
    for name in ("pyproject.toml", "addon/pyproject.toml"):
        before, after = (tomllib.loads((base / name).read_text()) for base in (ROOT, folder))
        assert after["project"].pop("version") == "7.8.9"
        before["project"].pop("version")
        assert after == before, "nothing else has changed"
    for name in FILES:
        if name.startswith(("docs/", "addon/signal", "addon/Docker", "custom")):
            assert "7.8.9" in (folder / name).read_text(), name


@pytest.mark.parametrize("version", ["7.8.9", "seven"])
def test_a_release_that_nobody_has_written_about_is_refused(folder, version):
    before = (folder / "addon/config.yaml").read_text()
    assert release(folder, version).returncode != 0
    assert (folder / "addon/config.yaml").read_text() == before
