"""https: the certificate, and its renewal without a restart."""

import asyncio
import logging
import ssl
from pathlib import Path

from signal_courier.settings import SettingError

_LOGGER = logging.getLogger(__name__)

LOOK = 30.0
"""Seconds between looks at the files."""


def _reason(error: OSError) -> str:
    """In words: OpenSSL's own are for its makers."""
    if isinstance(error, ssl.SSLError):
        return "they must be PEM files, the key without a passphrase, and must belong together"
    return error.strerror or str(error)


class Certificate:
    """A certificate and its key. New connections get the files as they are now, open ones stay as they are."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises `SettingError` where the files are of no use."""
        self._certificate = certificate
        self._key = key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._stamp()
        try:
            self._load(self.context)
        except (OSError, ssl.SSLError) as error:
            raise SettingError(f"COURIER_TLS_CERTIFICATE: {certificate} and its key cannot be used: {_reason(error)}") from None

    def renew(self) -> bool:
        """Take the files again where they have changed; whether that was so. What is of no use is logged and left."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))  # a trial: all or nothing
            self._load(self.context)
        except (OSError, ssl.SSLError) as error:
            _LOGGER.warning("The new certificate %s cannot be used, the old one stays: %s", self._certificate, _reason(error))
            return False
        _LOGGER.info("The certificate %s was renewed", self._certificate)
        return True

    async def keep_watch(self) -> None:
        """Look for renewals for ever."""
        while True:
            await asyncio.sleep(LOOK)
            self.renew()

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self._certificate, self._key, password=lambda: "")  # nobody is there to be asked for one

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        return tuple(_stamp_of(path) for path in (self._certificate, self._key) if path is not None)


def _stamp_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino
