"""What the tests of the container share."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAKE = Path(__file__).parents[1] / "fakes" / "signal_cli.py"


def missing() -> str | None:
    """Why no container can be played on this machine; `None` where it can."""
    if sys.platform != "linux":
        return f"containers are Linux; this is {platform.system()}"
    if os.getuid() != 0:
        return "needs root, for namespaces and mounts"
    if absent := [name for name in ("s6-svscan", "execlineb", "unshare", "nsenter", "mount", "ip") if shutil.which(name) is None]:
        return f"not installed: {', '.join(absent)} (Debian: s6, execline, util-linux, iproute2)"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, text=True, check=False
    )
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


@pytest.fixture(scope="session")
def stage() -> None:
    """Skips the test where no container can be played."""
    if (reason := missing()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def fake_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the image has it at /opt/signal-cli, with the fake in it."""
    folder = tmp_path_factory.mktemp("engine")
    folder.chmod(0o755)
    program = folder / "bin" / "signal-cli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec /opt/signal-courier/bin/python "{FAKE}" "$@"\n')
    program.chmod(0o755)
    return folder
