"""The few class-path files in front of signal-cli's jars that make it trust and find the stand-in servers.

Nothing of the distribution is changed. What is the same for every lab is kept in the cache: the trust store, the certificates, and the
slim copy of libsignal's library. The constants of `LiveConfig` (ports, trust root, zkgroup parameters) are a lab's own.
"""

import base64
import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab.classfile import replace_texts
from tests.e2e.lab.distribution import VERSION, Distribution, appearing, locked
from tests.e2e.lab.elf import loadable_part
from tests.e2e.lab.tls import write_certificates

_REVISION = 1
"""To be raised when the prepared files change."""
_CONFIGURATION = "org/asamk/signal/manager/config"
_LIBRARY = "libsignal_jni_amd64.so"
_HOSTS = ("chat", "storage", "cdn", "cdn2", "cdn3", "cdsi", "svr2")
_TRUST_ROOT = "BXu6QIKVz5MA8gstzfOgRQGqyLqOwNKHL6INkv3IHWMF"
_ZK_PARAMETERS = "AMhf5ywVwITZMsff"
"""How the constants begin that are Signal's own public keys."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all labs share."""

    distribution: Distribution
    folder: Path

    @property
    def certificate(self) -> Path:
        """PEM of the servers."""
        return self.folder / "server.pem"

    @property
    def overlay(self) -> Path:
        """Class-path folder with trust store and slim library."""
        return self.folder / "overlay"

    @property
    def class_archive(self) -> Path:
        """Java's own classes, prepared for a quick start; may be missing."""
        return self.folder / "base.jsa"

    @property
    def class_path(self) -> list[Path]:
        """For the servers' own use of libsignal."""
        return [self.overlay, *self.distribution.jars]


def prepare(distribution: Distribution, cache: Path) -> Prepared:
    """Makes the shared files, or finds them in the cache (2 s the first time)."""
    target = cache / f"prepared-{VERSION}-{_REVISION}"
    if not target.exists():
        with locked(cache):
            if not target.exists():
                with appearing(target) as draft:
                    _fill(distribution, draft)
    return Prepared(distribution, target)


def write_launcher(prepared: Prepared, folder: Path, *, port: int, trust_root: bytes, zk_parameters: bytes) -> Path:
    """Writes a lab's own overlay to `folder`, and gives an executable to be used as `signal-cli`."""
    distribution = prepared.distribution
    replaced = 0

    def replacement(text: str) -> str | None:
        nonlocal replaced
        new = None
        if text.startswith(_TRUST_ROOT):
            new = base64.b64encode(trust_root).decode()
        elif text.startswith(_ZK_PARAMETERS):
            new = base64.b64encode(zk_parameters).decode()
        elif text in {f"https://{host}.signal.org" for host in _HOSTS}:
            new = f"{text}:{port}"
        replaced += new is not None
        return new

    with zipfile.ZipFile(distribution.jar("libsignal-cli")) as jar:
        changed = replace_texts(jar.read(f"{_CONFIGURATION}/LiveConfig.class"), replacement)
    if replaced != len(_HOSTS) + 2:
        raise RuntimeError(f"LiveConfig is not as expected: {replaced} constants found")
    overlay = folder / "overlay"
    (overlay / _CONFIGURATION).mkdir(parents=True)
    (overlay / _CONFIGURATION / "LiveConfig.class").write_bytes(changed)
    hosts = folder / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {host}.signal.org\n" for host in _HOSTS) + "127.0.0.1 localhost\n")
    launcher = folder / "signal-cli"
    launcher.write_text(
        "#!/bin/sh\n"
        f'exec "{distribution.java}" --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC'
        f' -XX:SharedArchiveFile="{prepared.class_archive}" -Xshare:auto -Djdk.net.hosts.file="{hosts}" $JAVA_OPTS $SIGNAL_CLI_OPTS'
        f' -cp "{overlay}:{prepared.overlay}:{distribution.libraries}/*" org.asamk.signal.Main "$@"\n'
    )
    launcher.chmod(0o755)
    return launcher


def _fill(distribution: Distribution, folder: Path) -> None:
    authority = folder / "authority.pem"
    write_certificates(authority, folder / "server.pem")
    trust_store = folder / "overlay" / _CONFIGURATION / "whisper.store"
    trust_store.parent.mkdir(parents=True)
    _run(
        distribution.java_home / "bin" / "keytool", "-importcert", "-noprompt", "-alias", "authority", "-file", authority,
        "-keystore", trust_store, "-storetype", "BKS", "-storepass", "whisper",
        "-providerclass", "org.bouncycastle.jce.provider.BouncyCastleProvider", "-providerpath", distribution.jar("bcprov-jdk18on"),
    )  # fmt: skip
    with zipfile.ZipFile(distribution.jar("libsignal-client")) as jar:
        (folder / "overlay" / _LIBRARY).write_bytes(loadable_part(jar.read(_LIBRARY)))
    _run(distribution.java, "-XX:+UseSerialGC", f"-XX:SharedArchiveFile={folder / 'base.jsa'}", "-Xshare:dump")


def _run(*command: str | Path) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=os.environ | {"LC_ALL": "C"})
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{Path(command[0]).name} failed: {error.stderr.decode(errors='replace')}") from error
