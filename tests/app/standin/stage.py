"""Set the stage for a container, and become its process 1: `unshare --mount --pid --ipc --uts --fork python stage.py SPECIFICATION`.

A root of its own in memory, with this machine's programs, the app's files over them, and folders of the test as volumes. The specification
is the JSON of `Specification`. Needs root, and nothing but the standard library.
"""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """What the container is made of. Paths of this machine on the left, of the container on the right of a mapping."""

    root: str
    """An empty folder."""
    rootfs: str
    """The app's files."""
    binds: dict[str, str]
    volumes: dict[str, str]
    environment: dict[str, str]
    hostname: str
    address: str
    user: int | None = None
    """As who process 1 runs, `docker run --user`."""
    read_only: bool = False
    program: list[str] = dataclasses.field(default_factory=list)
    """Process 1."""


def main(specification: Specification) -> None:
    """Build it, enter it, start it."""
    root = Path(specification.root)
    mount("-t", "tmpfs", "-o", "mode=755", "stage", str(root))
    for name in _SYSTEM:
        source = Path("/", name)
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            bind(source, root / name, read_only=True)
    shutil.copytree("/etc", root / "etc", symlinks=True, ignore_dangling_symlinks=True)
    shutil.copytree(specification.rootfs, root, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("usr"))
    (root / "etc" / "hosts").unlink(missing_ok=True)
    (root / "etc" / "resolv.conf").unlink(missing_ok=True)
    (root / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n172.30.32.2 supervisor\n{specification.address} {specification.hostname}\n")
    (root / "etc" / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    _devices(root / "dev")
    for folder in ("proc", "run", "tmp", "data", "home", "opt"):
        (root / folder).mkdir()
    mount("-t", "proc", "proc", str(root / "proc"))
    mount("-t", "tmpfs", "-o", "mode=755", "run", str(root / "run"))
    mount("-t", "tmpfs", "-o", "mode=1777", "tmp", str(root / "tmp"))
    for here, there in specification.binds.items():
        bind(Path(here), root / there.lstrip("/"), read_only=True)
    for here, there in specification.volumes.items():
        bind(Path(here), root / there.lstrip("/"))
    sys.path.insert(0, str(HERE))
    from overlay import install  # type: ignore[import-not-found]  # found beside this program

    install(root, root / "run")
    if specification.user is not None:
        _give(root / "run", specification.user)
    if specification.read_only:
        mount("-o", "remount,ro", str(root))
    socket.sethostname(specification.hostname)
    os.chroot(root)
    os.chdir("/")
    if specification.user is not None:
        os.setgroups([])
        os.setresgid(specification.user, specification.user, specification.user)
        os.setresuid(specification.user, specification.user, specification.user)
    os.execve(specification.program[0], specification.program, specification.environment)


def mount(*arguments: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *arguments], check=True)


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Show a folder or file at a second place."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount("--rbind", str(source), str(target))
    if read_only:
        mount("-o", "remount,bind,ro", str(target))


def _devices(folder: Path) -> None:
    folder.mkdir()
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        bind(Path("/dev", name), folder / name)
    (folder / "shm").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", str(folder / "shm"))
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (folder / name).symlink_to(target if target.startswith("/") else f"/proc/self/{target}")


def _give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, user, user)


if __name__ == "__main__":
    main(Specification(**json.loads(sys.argv[1])))
