"""Becoming the unprivileged user."""

import os


def become(user: tuple[int, int] | None) -> None:
    """Be this user and group from now on, and no other; nothing to do for `None`. Raises `OSError`."""
    if user is None:
        return
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
