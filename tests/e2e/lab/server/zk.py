"""Signal's side of zkgroup, the mathematics that lets a group be run by servers that cannot read who is in it.

The distribution's own libsignal does it, inside a Java machine in this process (through JPype, so that no compiler is needed).
Every method takes about a millisecond; call them from one thread at a time.
"""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jpype


class Ciphertexts(NamedTuple):
    """What a group's server may see of a member."""

    user: bytes
    profile_key: bytes


class ZkServer:
    """A server with secret parameters of its own."""

    def __init__(self, java_home: Path, class_path: Iterable[Path], scratch: Path) -> None:
        """Starts the Java machine of this process unless it runs, and makes new secret parameters.

        Args:
            java_home: a Java runtime, release 17 or later.
            class_path: libsignal's jar and what stands before it.
            scratch: an existing folder for the native library.
        """
        if not jpype.isJVMStarted():
            jpype.startJVM(
                str(java_home / "lib" / "server" / "libjvm.so"),
                "--enable-native-access=ALL-UNNAMED",
                "-Xrs",
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                f"-Djava.io.tmpdir={scratch}",
                classpath=[str(entry) for entry in class_path],
                convertStrings=False,
            )
        self._service_id = _java("protocol.ServiceId")
        self._java_uuid = jpype.JClass("java.util.UUID")
        self._instant = jpype.JClass("java.time.Instant")
        self._user_ciphertext = _java("zkgroup.groups.UuidCiphertext")
        self._secret = _java("zkgroup.ServerSecretParams").generate()
        self._auth = _java("zkgroup.auth.ServerZkAuthOperations")(self._secret)
        self._profiles = _java("zkgroup.profiles.ServerZkProfileOperations")(self._secret)

    @property
    def public_parameters(self) -> bytes:
        """What clients have built in."""
        return bytes(self._secret.getPublicParams().serialize())

    def auth_credential(self, aci: str, pni: str, redemption_seconds: int) -> bytes:
        """The credential with which the owner of `aci` may act in groups on one day (seconds since epoch at 0:00 UTC)."""
        issued = self._auth.issueAuthCredentialWithPniZkc(
            self._aci(aci), _java("protocol.ServiceId$Pni")(self._uuid(pni)), self._instant.ofEpochSecond(redemption_seconds)
        )
        return bytes(issued.serialize())

    def profile_credential(self, aci: str, request: bytes, commitment: bytes, expiration_seconds: int) -> bytes:
        """The answer to a request for a profile key credential, on which group membership rests."""
        issued = self._profiles.issueExpiringProfileKeyCredential(
            _java("zkgroup.profiles.ProfileKeyCredentialRequest")(request),
            self._aci(aci),
            _java("zkgroup.profiles.ProfileKeyCommitment")(commitment),
            self._instant.ofEpochSecond(expiration_seconds),
        )
        return bytes(issued.serialize())

    def member_of(self, presentation: bytes) -> Ciphertexts:
        """Who a profile key credential presentation is about."""
        presented = _java("zkgroup.profiles.ProfileKeyCredentialPresentation")(presentation)
        return Ciphertexts(bytes(presented.getUuidCiphertext().serialize()), bytes(presented.getProfileKeyCiphertext().serialize()))

    def caller_of(self, presentation: bytes) -> bytes:
        """The user ciphertext of who presents an auth credential."""
        return bytes(_java("zkgroup.auth.AuthCredentialPresentation")(presentation).getUuidCiphertext().serialize())

    def group_id(self, public_parameters: bytes) -> bytes:
        """The 32 bytes that identify a group."""
        return bytes(_java("zkgroup.groups.GroupPublicParams")(public_parameters).getGroupIdentifier().serialize())

    def sign(self, message: bytes) -> bytes:
        """The server's signature under a group change."""
        return bytes(self._secret.sign(message).serialize())

    def endorsements(self, expiration_seconds: int, members: Iterable[bytes]) -> bytes:
        """Group send endorsements for all members, given as user ciphertexts."""
        ciphertexts = jpype.JClass("java.util.ArrayList")()
        for member in members:
            ciphertexts.add(self._user_ciphertext(member))
        key_pair = _java("zkgroup.groupsend.GroupSendDerivedKeyPair").forExpiration(
            self._instant.ofEpochSecond(expiration_seconds), self._secret
        )
        return bytes(_java("zkgroup.groupsend.GroupSendEndorsementsResponse").issue(ciphertexts, key_pair).serialize())

    def _uuid(self, text: str) -> Any:
        return self._java_uuid.fromString(str(uuid.UUID(text)))

    def _aci(self, text: str) -> Any:
        return _java("protocol.ServiceId$Aci")(self._uuid(text))


def _java(name: str) -> Any:
    return jpype.JClass(f"org.signal.libsignal.{name}")
