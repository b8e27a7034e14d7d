import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path

import pytest

from scripts.lib import bump_signal_cli as bump
from scripts.lib.bump_signal_cli import BumpError, Sources, find

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")

VERSION, LIBSIGNAL = "9.9.9", "8.8.8"
ARCHIVE = f"signal-cli-{VERSION}.tar.gz"
LIBRARY = f"libsignal_jni.so-v{LIBSIGNAL}-aarch64-unknown-linux-gnu.tar.gz"
ARCHIVE_AT = f"/AsamK/signal-cli/releases/download/v{VERSION}/{ARCHIVE}"
LIBRARY_AT = f"/exquo/signal-libs-build/releases/download/libsignal_v{LIBSIGNAL}/{LIBRARY}"


def tar(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def jar(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def class_file(java: int) -> bytes:
    return b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, 44 + java)


def signal_cli(java: int = 25, library: str = "libsignal_jni_amd64.so") -> bytes:
    return tar(
        {
            f"signal-cli-{VERSION}/lib/signal-cli-{VERSION}.jar": jar({"org/asamk/signal/Main.class": class_file(java)}),
            f"signal-cli-{VERSION}/lib/libsignal-client-{LIBSIGNAL}.jar": jar({library: b"native"}),
        }
    )


def library(machine: int = 183) -> bytes:
    return tar({"libsignal_jni.so": b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(100)})


class Author:
    """Somebody with a key of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self.gpg("--passphrase", "", "--quick-generate-key", "Author <author@example.org>", "ed25519", "sign", "never")
        listed = self.gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, input=given, capture_output=True, check=True, timeout=50).stdout

    def sign(self, content: bytes) -> bytes:
        return self.gpg("--armor", "--detach-sign", given=content)

    def key(self) -> bytes:
        return self.gpg("--armor", "--export", self.fingerprint)

    def leave(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, timeout=50)


@pytest.fixture(scope="module")
def authors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Author, Author]]:
    folder = Path(tmp_path_factory.mktemp("gpg"))
    both = Author(folder / "a"), Author(folder / "b")
    yield both
    for author in both:
        author.leave()


class Internet:
    """GitHub's downloads, its API and a key server, on one port of this machine."""

    def __init__(self, author: Author) -> None:
        self.author = author
        self.files: dict[str, bytes] = {}
        internet = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                content = internet.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        address = f"http://127.0.0.1:{self.server.server_port}"
        self.sources = Sources(github=address, api=address, keys=address, author=author.fingerprint)
        self.files[f"/vks/v1/by-fingerprint/{author.fingerprint}"] = author.key()

    def release(self, archive: bytes, library: bytes) -> None:
        self.files[ARCHIVE_AT] = archive
        self.files[ARCHIVE_AT + ".asc"] = self.author.sign(archive)
        self.files[LIBRARY_AT] = library
        self.tell(f"/repos/AsamK/signal-cli/releases/tags/v{VERSION}", ARCHIVE, archive)
        self.tell(f"/repos/exquo/signal-libs-build/releases/tags/libsignal_v{LIBSIGNAL}", LIBRARY, library)

    def tell(self, path: str, name: str, content: bytes) -> None:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.files[path] = dumps({"assets": [{"name": name, "digest": digest}]}).encode()


@pytest.fixture
def internet(authors: tuple[Author, Author]) -> Iterator[Internet]:
    there = Internet(authors[0])
    there.release(signal_cli(), library())
    thread = threading.Thread(target=there.server.serve_forever, args=(0.02,))
    thread.start()
    yield there
    there.server.shutdown()
    there.server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (bump.DOCKERFILE, bump.INSTALLER):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bump.ROOT / name, tmp_path / name)
    return tmp_path


def test_pins_are_found_and_written_where_they_are_declared(internet, folder):
    pins = find(VERSION, internet.sources)
    archive, lib = internet.files[ARCHIVE_AT], internet.files[LIBRARY_AT]
    assert pins == bump.Pins(VERSION, hashlib.sha256(archive).hexdigest(), LIBSIGNAL, hashlib.sha256(lib).hexdigest())
    assert bump.write(pins, folder) == [bump.DOCKERFILE, bump.INSTALLER]
    assert bump.declared(folder) == pins
    text = (folder / bump.INSTALLER).read_text()
    assert f'version="{VERSION}"' in text
    assert f'libsignal="{LIBSIGNAL}"' in text
    assert pins.digest in text
    assert 'version="0.13.19"' in text, "the old build from npm stays"
    assert bump.write(pins, folder) == [], "the second time there is nothing to do"


def test_a_known_bad_release_is_refused(internet):
    with pytest.raises(BumpError, match="known to be bad"):
        find("0.14.8", internet.sources)


def test_a_download_that_github_does_not_know_is_refused(internet):
    internet.tell(f"/repos/AsamK/signal-cli/releases/tags/v{VERSION}", ARCHIVE, b"something else")
    with pytest.raises(BumpError, match="is not what GitHub says it is"):
        find(VERSION, internet.sources)


def test_a_library_that_github_does_not_know_is_refused(internet):
    internet.tell(f"/repos/exquo/signal-libs-build/releases/tags/libsignal_v{LIBSIGNAL}", LIBRARY, b"something else")
    with pytest.raises(BumpError, match="is not what GitHub says it is"):
        find(VERSION, internet.sources)


def test_a_bad_signature_is_refused(internet):
    internet.files[ARCHIVE_AT + ".asc"] = internet.author.sign(b"something else")
    with pytest.raises(BumpError, match="BADSIG"):
        find(VERSION, internet.sources)


def test_a_good_signature_of_somebody_else_is_refused(internet, authors):
    other = authors[1]
    internet.files[ARCHIVE_AT + ".asc"] = other.sign(internet.files[ARCHIVE_AT])
    internet.files[f"/vks/v1/by-fingerprint/{internet.author.fingerprint}"] = other.key()  # a key server that lies
    with pytest.raises(BumpError, match="not a good one"):
        find(VERSION, internet.sources)


def test_a_missing_signature_is_refused_unless_asked_for(internet):
    del internet.files[ARCHIVE_AT + ".asc"]
    with pytest.raises(BumpError, match="--unsigned"):
        find(VERSION, internet.sources)
    assert find(VERSION, internet.sources, unsigned=True).version == VERSION


@pytest.mark.parametrize(
    ("archive", "lib", "reason"),
    [
        (signal_cli(java=26), library(), "needs Java 26"),
        (signal_cli(library="libsignal_jni_aarch64.dylib"), library(), "no library for amd64"),
        (signal_cli(), library(machine=62), "not for aarch64"),
        (b"no archive", library(), "cannot be read"),
    ],
)
def test_what_the_image_could_not_use_is_refused(internet, archive, lib, reason):
    internet.release(archive, lib)
    with pytest.raises(BumpError, match=reason):
        find(VERSION, internet.sources)


def test_nothing_is_written_when_a_place_is_missing(internet, folder):
    pins = replace(bump.declared(), version=VERSION)
    (folder / bump.INSTALLER).write_text("nothing of it")
    before = (folder / bump.DOCKERFILE).read_text()
    with pytest.raises(BumpError, match=bump.INSTALLER):
        bump.write(pins, folder)
    assert (folder / bump.DOCKERFILE).read_text() == before
