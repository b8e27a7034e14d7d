"""What `scripts/setup` promises to somebody who has just cloned the project."""

import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

import signal_courier

ROOT = Path(__file__).parents[2]
SCRIPTS = [path for path in sorted((ROOT / "scripts").iterdir()) if path.is_file()]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment, cwd=ROOT)


def table(path: str) -> dict:
    return tomllib.loads((ROOT / path).read_text())


def test_setup_has_nothing_to_do_the_second_time() -> None:
    if run("scripts/setup", "--check", PATH=os.environ["PATH"], HOME="").returncode:
        pytest.skip("scripts/setup has work to do here, which a test must not start")
    begin = time.monotonic()
    done = run("scripts/setup", PATH=os.environ["PATH"], HOME="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 20


def test_setup_needs_neither_home_nor_locale_nor_a_place_to_stand() -> None:
    bash = shutil.which("bash") or "bash"
    for directory in ("/", str(ROOT / "tests")):
        done = subprocess.run(
            [bash, "-c", f'cd "{directory}" && . "{ROOT}/scripts/lib/common.sh" && echo "$root" && [ -w "$HOME" ] && pwd -P'],
            capture_output=True, text=True, timeout=30, check=False,
            env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "LC_ALL": "xx_XX", "CDPATH": "/tmp"},
        )  # fmt: skip
        assert done.stdout.splitlines() == [str(ROOT), str(ROOT)], done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_started_and_says_what_it_does(script: Path) -> None:
    shebang, comment = script.read_text().splitlines()[:2]
    assert shebang == "#!/usr/bin/env bash"
    assert comment.startswith("# ")
    assert comment.endswith((".", ","))
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize(
    ("ours", "minimum", "wanted"),
    [("0.9.0", "0.9", True), ("0.13.8", "0.9", True), ("0.8.24", "0.9", False), ("1.0.0", "0.9", True)],
)
def test_versions_are_compared_as_numbers(ours: str, minimum: str, wanted: bool) -> None:
    done = run(
        "bash", "-c", f". scripts/lib/common.sh; . scripts/lib/tools.sh; newer_or_same {ours} {minimum}", PATH=os.environ["PATH"], HOME="/"
    )
    assert (done.returncode == 0) is wanted, done.stderr


def test_the_package_and_its_metadata_name_the_same_version() -> None:
    assert table("addon/pyproject.toml")["project"]["version"] == signal_courier.__version__
    assert table("pyproject.toml")["project"]["version"] == signal_courier.__version__
    assert f"## {signal_courier.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_is_pinned_exactly() -> None:
    groups = table("pyproject.toml")["dependency-groups"]
    for requirement in [*table("addon/pyproject.toml")["project"]["dependencies"], *groups["dev"], *groups["home-assistant"]]:
        if requirement == "signal-courier":  # the service itself
            continue
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][0-9A-Za-z.]*(;.*)?", requirement), requirement


def test_whoever_only_runs_the_service_installs_only_that() -> None:
    assert "scripts/setup --service\n" in (ROOT / "scripts" / "run").read_text()
    complete = run("scripts/setup", "--check", PATH=os.environ["PATH"], HOME="").returncode == 0
    if not complete:
        pytest.skip("scripts/setup has work to do here, which a test must not start")
    assert run("scripts/setup", "--service", "--check", PATH=os.environ["PATH"], HOME="").returncode == 0
    assert (ROOT / ".venv" / ".service").read_text() == (ROOT / ".venv" / ".setup").read_text(), "a whole environment has the service"


@pytest.mark.parametrize(
    ("trouble", "then"),
    [("Release file for … is expired (invalid since 15d)", ["strict", "as it is"]), ("Could not resolve 'mirror.example'", ["strict"])],
    ids=["stands still", "is not there"],
)
def test_a_mirror_that_stands_still_still_gives_a_python(trouble: str, then: list[str], tmp_path: Path) -> None:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists() or not shutil.which("dpkg-deb"):
        pytest.skip("needs a Debian")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, lines in {
        "patchelf": "exit 0",
        "apt-get": f"""
            case "$* " in *" download "*) exit 3 ;; esac  # far enough
            case "$*" in
            *Check-Valid-Until=false*) echo "as it is" >>"{tmp_path}/asked" ;;
            *) echo strict >>"{tmp_path}/asked" && echo "E: {trouble}" >&2 && exit 100 ;;
            esac""",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    done = run("scripts/python-from-debian", str(tmp_path / "python"), PATH=f"{programs}:{os.environ['PATH']}")
    assert (tmp_path / "asked").read_text().splitlines() == then
    assert (done.returncode, list((tmp_path).glob("python*"))) == (3 if then[-1] == "as it is" else 1, []), done.stderr
