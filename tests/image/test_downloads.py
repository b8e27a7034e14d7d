"""The image's first stage, from a stand-in for GitHub: only what has the pinned digest gets in."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.lib import bump_signal_cli
from tests.app import conftest as app
from tests.image import builder

pytestmark = pytest.mark.timeout(300)

PINS = bump_signal_cli.declared()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def github(tmp_path: Path) -> Iterator[str]:
    reason = builder.missing() or app.missing()
    if reason is not None:
        pytest.skip(reason)
    builder.prepare()
    put(
        tmp_path / f"AsamK/signal-cli/releases/download/v{PINS.version}/signal-cli-{PINS.version}.tar.gz",
        {f"signal-cli-{PINS.version}/bin/signal-cli": b"#!/bin/sh\n", f"signal-cli-{PINS.version}/lib/signal-cli.jar": b"jar"},
    )
    put(
        tmp_path / f"exquo/signal-libs-build/releases/download/libsignal_v{PINS.libsignal}"
        f"/libsignal_jni.so-v{PINS.libsignal}-aarch64-unknown-linux-gnu.tar.gz",
        {"libsignal_jni.so": b"\x7fELF"},
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def put(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def digest(folder: Path, name: str) -> str:
    return hashlib.sha256(next(folder.rglob(name)).read_bytes()).hexdigest()


def fetch(github: str, architecture: str, **arguments: str) -> list[str]:
    """Build the stage; gives the files that it leaves."""
    given = {"GITHUB": github, "TARGETARCH": architecture, **arguments}
    tag = "localhost/signal-courier-downloads:test"
    builder.buildah(
        *("bud", "--format", "docker", "--isolation", "chroot", "--pull-never", "--target", "downloads", "--tag", tag),
        *(part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")),
        str(builder.ROOT / "addon"),
    )
    container = builder.buildah("from", "--pull-never", tag)
    root = Path(builder.buildah("mount", container))
    found = [
        str(path.relative_to(root)) for name in ("signal-cli", "libsignal") for path in sorted((root / name).rglob("*")) if path.is_file()
    ]
    builder.buildah("rm", container)
    builder.buildah("rmi", tag)
    return found


SIGNAL_CLI = ["signal-cli/bin/signal-cli", "signal-cli/lib/signal-cli.jar"]


def test_each_architecture_gets_what_it_needs(github, tmp_path):
    archive, library = digest(tmp_path, "signal-cli-*.tar.gz"), digest(tmp_path, "libsignal_jni*.tar.gz")
    assert fetch(github, "amd64", SIGNAL_CLI_SHA256=archive) == SIGNAL_CLI
    both = fetch(github, "arm64", SIGNAL_CLI_SHA256=archive, LIBSIGNAL_AARCH64_SHA256=library)
    assert both == [*SIGNAL_CLI, "libsignal/libsignal_jni.so"]


def test_anything_else_than_what_is_pinned_is_refused(github, tmp_path):
    archive = digest(tmp_path, "signal-cli-*.tar.gz")
    with pytest.raises(AssertionError, match="did NOT match"):
        fetch(github, "amd64")
    with pytest.raises(AssertionError, match="did NOT match"):
        fetch(github, "arm64", SIGNAL_CLI_SHA256=archive, LIBSIGNAL_AARCH64_SHA256="0" * 64)


def test_a_library_without_a_pin_is_not_taken_on_trust(github, tmp_path):
    with pytest.raises(AssertionError, match="scripts/bump-signal-cli"):
        fetch(github, "arm64", SIGNAL_CLI_SHA256=digest(tmp_path, "signal-cli-*.tar.gz"), LIBSIGNAL_AARCH64_SHA256="")
