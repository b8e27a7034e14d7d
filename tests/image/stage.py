"""Enter the files of an image and become its entry point: `unshare --mount --pid --ipc --uts --fork python stage.py SPECIFICATION`.

What Docker does at `docker run`, as far as it matters here: volumes, /proc, /dev, names, variables. The specification is the JSON of
`Specification`. Needs root, and nothing but the standard library.
"""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """What is started."""

    layers: str
    """The image's files, which stay as they are."""
    folder: str
    """An empty folder, for what the container writes."""
    volumes: dict[str, str]
    environment: dict[str, str]
    hostname: str
    address: str
    program: list[str]


def main(specification: Specification) -> None:
    """Build it, enter it, start it."""
    scratch = Path(specification.folder)
    mount("-t", "tmpfs", "-o", "mode=755", "scratch", str(scratch))
    root, upper, work = (scratch / name for name in ("root", "upper", "work"))
    for folder in (root, upper, work):
        folder.mkdir(mode=0o755)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={specification.layers},upperdir={upper},workdir={work}", str(root))
    mount("-t", "proc", "proc", str(root / "proc"))
    _devices(root / "dev")
    for here, there in specification.volumes.items():
        target = root / there.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        mount("--bind", here, str(target))
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n172.30.32.2 supervisor\n{specification.address} {specification.hostname}\n")
    socket.sethostname(specification.hostname)
    os.chroot(root)
    os.chdir("/")
    os.execve(specification.program[0], specification.program, specification.environment)


def mount(*arguments: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *arguments], check=True)


def _devices(folder: Path) -> None:
    mount("-t", "tmpfs", "-o", "mode=755", "dev", str(folder))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (folder / name).touch()
        mount("--bind", f"/dev/{name}", str(folder / name))
    (folder / "shm").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", str(folder / "shm"))
    (folder / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (folder / name).symlink_to(f"/proc/self/fd/{number}")


if __name__ == "__main__":
    main(Specification(**json.loads(sys.argv[1])))
