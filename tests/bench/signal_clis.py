"""The signal-cli programs that the service can be measured with: a stand-in that is up in 0.1 s, and the real one where there is one."""

import os
import sys
from pathlib import Path

from signal_courier.engine.program import install
from tests.bench.candidates import REPOSITORY


def stand_in(work: Path) -> Path:
    """A program that behaves like signal-cli."""
    launcher = work / "signal-cli"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{REPOSITORY / "tests" / "fakes" / "signal_cli.py"}" "$@"\n')
    launcher.chmod(0o755)
    return launcher


def real() -> Path | None:
    """One that is named by SIGNAL_CLI, on PATH, or was installed for this user or for `scripts/run --real`."""
    if named := os.environ.get("SIGNAL_CLI"):
        return Path(named)
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "signal-courier"
    for folder in (data, *(REPOSITORY / ".run").glob("*")):
        if found := install.find(install.folder_in(folder)):
            return found
    return None
