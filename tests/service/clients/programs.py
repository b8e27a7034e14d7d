"""Runs programs that use a client's real package, in a Python that has it.

The test's own Python will do when it has the package in that version; else a private environment below `.cache/clients` is made with
uv, once. Where neither is possible (no network) the test is skipped, and says why.
"""

import asyncio
import fcntl
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).parents[3]
_SCRIPTS = Path(__file__).parent / "scripts"


async def run(program: str, *packages: str, arguments: tuple[str, ...]) -> Any:
    """Run a program of `scripts/` with arguments; gives the JSON of its last line."""
    python = await asyncio.to_thread(python_with, *packages)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COURIER", "SIGNAL"))}
    process = await asyncio.create_subprocess_exec(
        python, "-W", "ignore", str(_SCRIPTS / program), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 120)
    except TimeoutError:
        process.kill()
        output, errors = await process.communicate()
        pytest.fail(f"{program} did not end:\n{output.decode()}\n{errors.decode()}")
    assert process.returncode == 0, f"{program}:\n{output.decode()}\n{errors.decode()}"
    return json.loads(output.decode().splitlines()[-1])


def python_with(*packages: str) -> str:
    """A Python that has these packages (`name==version`)."""
    if all(_has(package) for package in packages):
        return sys.executable
    folder = _REPOSITORY / ".cache" / "clients" / "-".join(packages).replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(folder, packages)
    return str(folder / "bin" / "python")


def _install(folder: Path, packages: tuple[str, ...]) -> None:
    what = ", ".join(packages)
    uv = shutil.which("uv") or shutil.which("uv", path=str(_REPOSITORY / ".cache" / "tools" / "uv" / "bin"))
    if uv is None:
        pytest.skip(f"{what} cannot be installed: there is no uv")
    environment = ("venv", "--clear", "--python", sys.executable, str(folder))
    for command in (environment, ("pip", "install", "--python", str(folder / "bin" / "python"), *packages)):
        done = subprocess.run([uv, "--quiet", *command], capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            pytest.skip(f"{what} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    (folder / "complete").touch()


def _has(package: str) -> bool:
    name, _, version = package.partition("==")
    try:
        return importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False
