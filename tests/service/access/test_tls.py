"""https by setting, and a renewed certificate without a restart."""

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signal_courier.http.serving.tls import Certificate
from signal_courier.settings import SettingError
from tests.fakes.served import simulated


def issue(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `localhost`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "fullchain.pem", folder / "privkey.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


async def name_at(port: int, trusted: Path) -> str:
    """Whom the certificate names."""
    context = ssl.create_default_context(cafile=str(trusted))
    async with asyncio.timeout(30):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        subject = writer.get_extra_info("peercert")["subject"]
        writer.transport.abort()
    return str(dict(pair[0] for pair in subject)["commonName"])


async def until_renewed(port: int, trusted: Path) -> None:
    while True:
        try:
            if await name_at(port, trusted) == "second":
                return
        except ssl.SSLError:  # still the first one, which is not trusted any more
            pass
        await asyncio.sleep(0.02)


async def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_courier.http.serving.tls.LOOK", 0.02)
    certificate, key = issue(tmp_path, "first")
    async with simulated(tmp_path, tls_certificate=certificate, tls_key=key, hsts=300) as service:
        port = service.courier.server.port
        assert await name_at(port, certificate) == "first"
        issue(tmp_path, "second")
        async with asyncio.timeout(30):
            await until_renewed(port, certificate)
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(certificate.read_bytes())
        certificate.write_text("not a certificate")
        context = ssl.create_default_context(cafile=str(trusted))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.get(f"https://localhost:{port}/v1/about") as answer,
        ):
            assert answer.status == 200, "what is of no use is left"
            assert answer.headers["Strict-Transport-Security"] == "max-age=300"
        with pytest.raises((aiohttp.ClientError, OSError)):
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/v1/about"):
                pass


def test_a_key_that_does_not_fit_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _ = issue(tmp_path, "one")
    _, key = issue(tmp_path / "other", "two")
    with pytest.raises(SettingError, match="COURIER_TLS_CERTIFICATE"):
        Certificate(certificate, key)
    with pytest.raises(SettingError, match="COURIER_TLS_CERTIFICATE"):
        Certificate(tmp_path / "missing.pem", None)
