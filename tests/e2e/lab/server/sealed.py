"""Certificates with which a sender can be known to the recipient and to nobody else (sealed sender)."""

from tests.e2e.lab import curve, protobuf
from tests.e2e.lab.server.network import now_ms

_VALID_MS = 7 * 86_400_000


class CertificateIssuer:
    """Signs certificates under a root of its own, which the lab's signal-cli trusts."""

    def __init__(self) -> None:
        root = curve.key_pair()
        self.root_public_key = root.public
        """33 bytes, as built into clients."""
        self._key = curve.key_pair()
        certificate = protobuf.message((1, 1), (2, self._key.public))
        self._server = protobuf.message((1, certificate), (2, curve.sign(root.private, certificate)))

    def issue(self, aci: str, device_id: int, identity_key: bytes, number: str | None) -> bytes:
        """A sender certificate; `number` None leaves the number out."""
        expiration = protobuf.fixed64(3, now_ms() + _VALID_MS)
        certificate = (
            protobuf.message((1, number), (2, device_id)) + expiration + protobuf.message((4, identity_key), (5, self._server), (6, aci))
        )
        return protobuf.message((1, certificate), (2, curve.sign(self._key.private, certificate)))
