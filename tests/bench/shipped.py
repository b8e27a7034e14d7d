"""A Python with what the app's container installs and nothing else: aiohttp loads more where it finds more."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.candidates import REPOSITORY

_HOME = REPOSITORY / ".cache" / "bench" / "shipped"


def python() -> Path:
    """Its interpreter, brought up to date; our own one where there is no uv, or no network."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        print("start and idle are measured with the packages of the tests, which are more: uv is not on PATH", file=sys.stderr)
        return Path(sys.executable)
    wanted = [uv, "sync", "--quiet", "--frozen", "--no-dev", "--package", "signal-courier", "--no-install-workspace"]
    try:
        subprocess.run(
            [*wanted, "--python", sys.executable],
            cwd=REPOSITORY,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(_HOME)},
            check=True,
            timeout=300,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"start and idle are measured with the packages of the tests, which are more: {said.strip()}", file=sys.stderr)
        return Path(sys.executable)
    return _HOME / "bin" / "python"
