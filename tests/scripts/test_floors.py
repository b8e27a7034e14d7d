"""The floors of the service: `pyproject.toml` declares them, and they hold."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def check_floors(package_parent: Path) -> subprocess.CompletedProcess[str]:
    """Run the import rules of this checkout over the `signal_courier` in a folder."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=package_parent,
        env=os.environ | {"PYTHONPATH": str(package_parent), "COLUMNS": "200"},
    )


def test_no_room_imports_from_above_its_floor() -> None:
    checked = check_floors(ROOT / "addon")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_breach_of_the_floors_is_named(tmp_path: Path) -> None:
    package = tmp_path / "signal_courier"
    shutil.copytree(ROOT / "addon/signal_courier", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "store/upwards.py").write_text("import signal_courier.http\n")
    (package / "engine/sideways.py").write_text("import signal_courier.access.tokens\n")
    (package / "messaging/sql.py").write_text("import sqlite3\n")
    (package / "attic.py").touch()
    checked = check_floors(tmp_path)
    assert checked.returncode == 1
    for complaint in (
        "signal_courier.store is not allowed to import signal_courier.http",
        "signal_courier.engine is not allowed to import signal_courier.access",
        "signal_courier.messaging.sql is not allowed to import sqlite3",
        "signal_courier.attic",
    ):
        assert complaint in checked.stdout
