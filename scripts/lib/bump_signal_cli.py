"""Which bytes of signal-cli and libsignal go into the image: found for a release, checked, and written where they are declared.

Three independent hints have to agree: what is downloaded, the digest that GitHub's API tells for the asset, and (for signal-cli) the
signature of its author. libsignal's version is read from signal-cli's archive, for only that very version works with it.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = "addon/Dockerfile"
INSTALLER: Final = "addon/signal_courier/engine/program/install.py"

AUTHOR: Final = "FA10826A74907F9EC6BBB7FC2BA2CD21B5B09570"
"""The key that signal-cli's author signs releases with, by fingerprint."""
KNOWN_BAD: Final[Mapping[str, str]] = {"0.14.8": "its libsignal panics when devices are listed (AsamK/signal-cli issues 2118 and 2119)"}
JAVA: Final = 25
"""The Java in the image."""

_SECONDS: Final = 60.0
_LARGEST: Final = 512 << 20
_AARCH64: Final = 183  # e_machine in the ELF header
_CLASS_FILE_OF_JAVA_1: Final = 44


class BumpError(Exception):
    """The release is not to be pinned; the text says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where things come from."""

    github: str = "https://github.com"
    api: str = "https://api.github.com"
    keys: str = "https://keys.openpgp.org"
    author: str = AUTHOR

    @classmethod
    def chosen(cls, variables: Mapping[str, str]) -> "Sources":
        """With the addresses of GITHUB, GITHUB_API and KEY_SERVER, where they are set."""
        usual = cls()
        return cls(
            github=variables.get("GITHUB", usual.github),
            api=variables.get("GITHUB_API", usual.api),
            keys=variables.get("KEY_SERVER", usual.keys),
        )


@dataclass(frozen=True, slots=True)
class Pins:
    """What is declared; digests are sha256, hex."""

    version: str
    digest: str
    libsignal: str
    libsignal_aarch64_digest: str


def find(version: str, sources: Sources, *, unsigned: bool = False) -> Pins:
    """The pins of a release, checked. Raises `BumpError`."""
    if not re.fullmatch(r"\d+(\.\d+){2,3}", version):
        raise BumpError(f"{version!r} is no version such as 0.14.7")
    if reason := KNOWN_BAD.get(version):
        raise BumpError(f"{version} is known to be bad: {reason}")
    archive_name = f"signal-cli-{version}.tar.gz"
    release = f"{sources.github}/AsamK/signal-cli/releases/download/v{version}"
    archive = _download(f"{release}/{archive_name}")
    digest = _agreed(archive, f"{sources.api}/repos/AsamK/signal-cli/releases/tags/v{version}", archive_name)
    if not unsigned:
        _check_signature(archive, _download(f"{release}/{archive_name}.asc", "use --unsigned if there is none"), sources)
    libsignal = _look_into(archive)

    library_name = f"libsignal_jni.so-v{libsignal}-aarch64-unknown-linux-gnu.tar.gz"
    tag = f"libsignal_v{libsignal}"
    library = _download(f"{sources.github}/exquo/signal-libs-build/releases/download/{tag}/{library_name}", "wait until it is built")
    library_digest = _agreed(library, f"{sources.api}/repos/exquo/signal-libs-build/releases/tags/{tag}", library_name)
    _check_library(library)
    return Pins(version, digest, libsignal, library_digest)


def write(pins: Pins, root: Path = ROOT) -> list[str]:
    """Write the pins where they are declared; gives the files that changed. Raises `BumpError` when a place is not as expected."""
    changes = {
        DOCKERFILE: {
            r"(?m)^(ARG SIGNAL_CLI_VERSION=).*$": pins.version,
            r"(?m)^(ARG SIGNAL_CLI_SHA256=).*$": pins.digest,
            r"(?m)^(ARG LIBSIGNAL_VERSION=).*$": pins.libsignal,
            r"(?m)^(ARG LIBSIGNAL_AARCH64_SHA256=).*$": pins.libsignal_aarch64_digest,
        },
        INSTALLER: {
            r'(RELEASE: Final = Distribution\(\s+version=")[^"]*': pins.version,
            r'(RELEASE: Final = Distribution\([^)]*?libsignal=")[^"]*': pins.libsignal,
            r'(RELEASE: Final = Distribution\([^)]*?digest=")[^"]*': pins.digest,
        },
    }
    new: dict[str, str] = {}
    for name, places in changes.items():
        text = (root / name).read_text(encoding="utf-8")
        for pattern, value in places.items():
            text, found = re.subn(pattern, rf"\g<1>{value}", text, count=1)
            if not found:
                raise BumpError(f"{name} has no {pattern}")
        new[name] = text
    changed = [name for name, text in new.items() if (root / name).read_text(encoding="utf-8") != text]
    for name in changed:
        (root / name).write_text(new[name], encoding="utf-8")
    return changed


def declared(root: Path = ROOT) -> Pins:
    """The pins as the Dockerfile has them."""
    text = (root / DOCKERFILE).read_text(encoding="utf-8")
    found = dict(re.findall(r"(?m)^ARG (\w+)=(\S*)$", text))
    return Pins(found["SIGNAL_CLI_VERSION"], found["SIGNAL_CLI_SHA256"], found["LIBSIGNAL_VERSION"], found["LIBSIGNAL_AARCH64_SHA256"])


def _download(address: str, otherwise: str = "is it released?") -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310  # https, or what a person has chosen
            content: bytes = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise BumpError(f"{address}: {error.code}; {otherwise}") from error
    except (OSError, ValueError) as error:
        raise BumpError(f"{address} cannot be downloaded: {error}") from error
    if len(content) > _LARGEST:
        raise BumpError(f"{address} is larger than {_LARGEST >> 20} MiB")
    return content


def _agreed(content: bytes, release: str, name: str) -> str:
    """The digest of what came, which must be the one that GitHub tells."""
    found = hashlib.sha256(content).hexdigest()
    try:
        assets = json.loads(_download(release))["assets"]
        told = next(asset.get("digest") for asset in assets if asset["name"] == name)
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise BumpError(f"{release} does not tell of {name}") from error
    if told is None:
        print(f"GitHub keeps no digest of {name}; taking what came: {found}")
    elif told != f"sha256:{found}":
        raise BumpError(f"{name} is not what GitHub says it is: sha256 {found} came, {told} was told")
    return found


def _check_signature(content: bytes, signature: bytes, sources: Sources) -> None:
    gpg = shutil.which("gpg")
    if gpg is None:
        raise BumpError("gpg is not installed (Debian: apt install gpg)")
    key = _download(f"{sources.keys}/vks/v1/by-fingerprint/{sources.author}")
    with _private_folder() as home:
        (home / "archive").write_bytes(content)
        (home / "archive.asc").write_bytes(signature)

        def run(*arguments: str, given: bytes = b"") -> str:
            command = [gpg, "--homedir", str(home), "--batch", "--no-autostart", "--status-fd", "1", *arguments]
            return subprocess.run(command, input=given, capture_output=True, check=False, timeout=_SECONDS).stdout.decode(errors="replace")

        run("--import", given=key)
        status = run("--verify", str(home / "archive.asc"), str(home / "archive"))
    valid = re.search(r"^\[GNUPG:\] VALIDSIG .*?(\w{40})$", status, re.MULTILINE)
    if not valid or valid[1] != sources.author or re.search(r"^\[GNUPG:\] (BADSIG|REVKEYSIG|EXPKEYSIG)", status, re.MULTILINE):
        raise BumpError(f"the signature is not a good one of {sources.author}:\n{status.strip()}")


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o700)
        yield Path(folder)


def _look_into(archive: bytes) -> str:
    """Give libsignal's version, from an archive that has its library for amd64 and runs on the image's Java."""
    with _unpacked(archive, "signal-cli") as tar:
        jars = {Path(member.name).name: member for member in tar if member.isfile() and member.name.endswith(".jar")}
        libsignal = next((match for name in jars if (match := re.fullmatch(r"libsignal-client-(.+)\.jar", name))), None)
        program = next((name for name in jars if re.fullmatch(r"signal-cli-\d.*\.jar", name)), None)
        if libsignal is None or program is None:
            raise BumpError("the archive lacks signal-cli's jar or libsignal's")
        names = zipfile.ZipFile(_opened(tar, jars[libsignal[0]])).namelist()
        if not any(re.fullmatch(r"libsignal_jni(_amd64)?\.so", name) for name in names):
            raise BumpError(f"{libsignal[0]} has no library for amd64")
        with zipfile.ZipFile(_opened(tar, jars[program])) as jar:
            classes = [name for name in jar.namelist() if name.endswith(".class")]
            needed = max((struct.unpack(">H", jar.read(name)[6:8])[0] for name in classes[:20]), default=0) - _CLASS_FILE_OF_JAVA_1
        if needed > JAVA:
            raise BumpError(f"it needs Java {needed}, the image has {JAVA}: change the Dockerfile and the installer first")
        return libsignal[1]


def _check_library(archive: bytes) -> None:
    with _unpacked(archive, "libsignal for aarch64") as tar:
        member = next((member for member in tar if Path(member.name).name == "libsignal_jni.so"), None)
        if member is None:
            raise BumpError("libsignal's archive has no libsignal_jni.so")
        head = _opened(tar, member).read(20)
    if head[:4] != b"\x7fELF" or struct.unpack("<H", head[18:20])[0] != _AARCH64:
        raise BumpError("libsignal_jni.so is not for aarch64")


@contextlib.contextmanager
def _unpacked(archive: bytes, what: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            yield tar
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise BumpError(f"the archive of {what} cannot be read: {error}") from error


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> io.BytesIO:
    file = tar.extractfile(member)
    if file is None:
        raise BumpError(f"{member.name} is no file")
    return io.BytesIO(file.read())


def main(arguments: list[str] | None = None) -> int:
    """The command `scripts/bump-signal-cli`."""
    parser = argparse.ArgumentParser(prog="scripts/bump-signal-cli", description="Pin another release of signal-cli.")
    parser.add_argument("version")
    parser.add_argument("--unsigned", action="store_true", help="although there is no signature file")
    options = parser.parse_args(arguments)
    try:
        pins = find(options.version, Sources.chosen(os.environ), unsigned=options.unsigned)
        changed = write(pins)
    except BumpError as error:
        print(error, file=sys.stderr)
        return 1
    print(pins, *(f"changed: {name}" for name in changed), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
