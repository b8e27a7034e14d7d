"""The s6 tree is one that s6-rc takes, and the linter that says so finds what it would not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.standin.container import ROOTFS
from tests.app.standin.overlay import TREE, BadTree, read_tree


def test_everything_starts_in_order_and_the_service_stops_before_its_engine() -> None:
    assert [service.name for service in read_tree(ROOTFS)] == ["prepare", "signal-cli", "courier", "discovery"]


def test_scripts_are_short_and_hold_no_logic() -> None:
    scripts = [file for file in ROOTFS.rglob("*") if file.is_file() and file.read_bytes().startswith(b"#!")]
    assert len(scripts) == 8
    for script in scripts:
        lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
        assert len(lines) <= 5, script
        assert "bashio" not in script.read_text(), "plain Docker has no Supervisor to ask"


def _cycle(tree: Path) -> None:
    (tree / "prepare" / "dependencies.d" / "courier").touch()


def _missing_dependency(tree: Path) -> None:
    (tree / "courier" / "dependencies.d" / "database").touch()


def _not_executable(tree: Path) -> None:
    (tree / "courier" / "run").chmod(0o644)


def _no_type(tree: Path) -> None:
    (tree / "courier" / "type").unlink()


def _pipeline(tree: Path) -> None:
    (tree / "courier" / "producer-for").write_text("log")


def _misspelt(tree: Path) -> None:
    (tree / "courier" / "notification_fd").write_text("3")


def _forgotten(tree: Path) -> None:
    (tree / "user" / "contents.d" / "discovery").unlink()


def _no_script(tree: Path) -> None:
    (tree / "prepare" / "up").write_text("/etc/s6-overlay/scripts/absent")


def _seconds(tree: Path) -> None:
    (tree / "courier" / "timeout-up").write_text("60s")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_cycle, "depends on itself"),
        (_missing_dependency, "names database"),
        (_not_executable, "cannot be executed"),
        (_no_type, "has no type"),
        (_pipeline, "pipelines"),
        (_misspelt, "notification_fd means nothing"),
        (_forgotten, "never started: discovery"),
        (_no_script, "absent is missing"),
        (_seconds, "must be milliseconds"),
    ],
)
def test_a_tree_that_s6_would_refuse_is_noticed(spoil: Callable[[Path], None], complaint: str, tmp_path: Path) -> None:
    shutil.copytree(ROOTFS, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path / TREE)
    with pytest.raises(BadTree, match=complaint):
        read_tree(tmp_path)
