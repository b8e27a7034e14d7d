"""python-signal-cli-rest-api (morph027) from PyPI, in an environment of its own: it needs parts of its time, and Python 3.11."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.candidates import REPOSITORY

_HOME = REPOSITORY / ".cache" / "bench" / "python-signal-cli-rest-api"
_PARTS = ("python-signal-cli-rest-api==22.10.6", "websockets==10.4", "sanic-routing==22.8.0", "setuptools<70")
_PYTHON = "3.11"


class Unavailable(Exception):
    """It cannot be had here; the text says why."""


def program() -> Path:
    """What to run, installed where it is not there yet. Raises `Unavailable`."""
    found = _HOME / "bin" / "python-signal-cli-rest-api"
    if found.exists():
        return found
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise Unavailable("uv is not on PATH (scripts/bench brings it)")
    _HOME.parent.mkdir(parents=True, exist_ok=True)
    try:
        for step in (
            ["venv", "-q", "--clear", "--python", _PYTHON, str(_HOME)],
            ["pip", "install", "-q", "--python", str(_HOME / "bin" / "python"), *_PARTS],
        ):
            subprocess.run([uv, *step], check=True, timeout=300, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(_HOME, ignore_errors=True)
        said = getattr(error, "stderr", None) or str(error)
        raise Unavailable(said.strip().splitlines()[0]) from error
    return found
