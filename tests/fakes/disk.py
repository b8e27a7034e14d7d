"""A small disk of one's own that can be filled, where the machine allows it (root, Linux)."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest


@contextlib.asynccontextmanager
async def small_disk(folder: Path, mebibytes: int) -> AsyncIterator[Path]:
    """A file system of that size, at `folder`; skips the test where nobody may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir()  # noqa: ASYNC240  # done at once
    mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder))
    if await mount.wait() != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield folder
    finally:
        unmount = await asyncio.create_subprocess_exec("umount", "-l", str(folder))
        await unmount.wait()


def fill(disk: Path, name: str = "ballast") -> Path:
    """Take all of its space; gives the file to delete."""
    ballast = disk / name
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast
