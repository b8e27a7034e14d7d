"""How much of a disk uploads may take: the rest belongs to messages, which are small and must always find room."""

import errno
import os
from pathlib import Path
from typing import Final

_KEPT: Final = 64 * 1024 * 1024
"""Bytes that are left free, on a small disk a twentieth of it."""


def check_space(folder: Path) -> None:
    """Raises `OSError` (ENOSPC) where a file that goes on growing in this folder would take what is left for messages."""
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < min(_KEPT, disk.f_blocks * disk.f_frsize // 20):
        raise OSError(errno.ENOSPC, "what is left of the disk is kept for messages")
