"""`/v1/attachments`: files of strangers, and none of ours."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")


def with_files(parent: Path) -> Path:
    """A folder for the service, in which attachments are, and around them what is none."""
    folder = parent / "config" / "attachments"
    folder.mkdir(parents=True)
    (parent / "config" / "secret.txt").write_text("secret")
    (folder / "-begins.with_dash").write_bytes(b"dash")
    (folder / "BxJIwmVr9zpmWIpZiLZ9.png").write_bytes(PNG)
    (folder / "page").write_bytes(b"<!DOCTYPE html><script>alert(1)</script>")
    (folder / ".hidden").write_bytes(b"hidden")
    (folder / "link").symlink_to(parent / "config" / "secret.txt")
    (folder / "folder").mkdir()
    return parent


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(with_files(tmp_path)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with served(with_files(tmp_path_factory.mktemp("kept"))) as running:
        yield running


async def test_list_names_what_can_be_fetched(service: Service) -> None:
    assert (await service.get("/v1/attachments")).json == ["-begins.with_dash", "BxJIwmVr9zpmWIpZiLZ9.png", "page"]


async def test_type_is_told_from_the_content_and_the_browser_must_keep_to_it(service: Service) -> None:
    picture = await service.get("/v1/attachments/BxJIwmVr9zpmWIpZiLZ9.png")
    page = await service.get("/v1/attachments/page")
    assert (picture.status, picture.body, picture.headers["Content-Type"]) == (200, PNG, "image/png")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in page.headers["Content-Security-Policy"]


async def test_part_of_a_file_can_be_asked_for(service: Service) -> None:
    reply = await service.request("GET", "/v1/attachments/BxJIwmVr9zpmWIpZiLZ9.png", Range="bytes=1-3")
    assert (reply.status, reply.body) == (206, b"PNG")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt", "..%2Fsecret.txt", "%2e%2e%2fsecret.txt", "..%5Csecret.txt", "%2Fetc%2Fpasswd", ".hidden", "..", ".", "link",
        "folder", "--help", "nothing", "x" * 300, "%00", "a%0Ab", "%ff%fe", "upload-" + "0" * 32, "upload-..%2F..%2Fsecret.txt",
    ],
)  # fmt: skip
async def test_no_name_leads_out_of_the_folder(shared: Service, method: str, name: str) -> None:
    config = shared.courier.settings.signal_cli_config_dir
    reply = await shared.request(method, f"/v1/attachments/{name}")
    assert reply.status in (400, 404)
    assert b"secret" not in reply.body.replace(b"secret.txt", b"")
    assert (config / "secret.txt").read_text() == "secret"
    assert (config / "attachments" / ".hidden").exists()


async def test_deleted_file_is_gone(service: Service) -> None:
    assert (await service.delete("/v1/attachments/page")).status == 204
    gone = await service.get("/v1/attachments/page")
    assert (gone.status, gone.error) == (404, "No attachment with that name found")
    assert (await service.delete("/v1/attachments/page")).status == 404


@pytest.mark.parametrize("way", ["multipart", "raw"])
async def test_upload_can_be_fetched_sent_and_deleted(service: Service, way: str) -> None:
    form = aiohttp.FormData({"comment": "first comes a field that is no file"}, quote_fields=False)
    form.add_field("file", PNG, filename="../../c at.png", content_type="text/html")
    header = {"Content-Disposition": 'attachment; filename="../../c at.png"', "Content-Type": "image/png"}
    reply = await (service.post("/v1/attachments", form) if way == "multipart" else service.post("/v1/attachments", PNG, **header))
    assert reply.status == 201, reply.body
    kept = reply.json
    assert (kept["filename"], kept["content_type"], kept["size"]) == ("c at.png", "image/png", len(PNG))
    assert (await service.get(kept["path"])).body == PNG
    assert kept["id"] not in (await service.get("/v1/attachments")).json
    assert (await service.delete(kept["path"])).status == 204
    assert (await service.get(kept["path"])).status == 404
    assert service.spooled() == []


@pytest.mark.parametrize("body,content_type,status", [
    (b"", "image/png", 400),
    (b"--x\r\n\r\nno file--x--", "multipart/form-data; boundary=x", 400),
    (b"rubbish", "multipart/form-data; boundary=x", 400),
    (b"rubbish", "multipart/form-data", 400),
    (bytes(1024 * 1024 + 1), "image/png", 413),
])  # fmt: skip
async def test_broken_upload_is_refused_and_leaves_nothing(tmp_path: Path, body: bytes, content_type: str, status: int) -> None:
    async with served(tmp_path, body_limit_mib=1) as service:
        reply = await service.post("/v1/attachments", body, **{"Content-Type": content_type})
        assert reply.status == status
        assert service.spooled() == []
        assert not any(service.courier.settings.uploads_dir.iterdir())


async def test_interrupted_upload_leaves_nothing(service: Service) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
    writer.write(b"POST /v1/attachments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(5000))
    await writer.drain()
    async with asyncio.timeout(30):
        while not service.spooled():
            await service.get("/v1/health")
        writer.transport.abort()
        while service.spooled():
            await service.get("/v1/health")


async def test_old_uploads_are_removed(service: Service) -> None:
    kept = (await service.post("/v1/attachments", PNG)).json
    uploads = service.courier.staging.uploads
    assert await uploads.remove_older(1_700_000_000) == 0
    os.utime(service.courier.settings.uploads_dir / kept["id"], (0, 0))
    assert await uploads.remove_older(1_700_000_000) == 1
    assert (await service.get(kept["path"])).status == 404


class TestElsewhere:
    """signal-cli runs where its folder cannot be read."""

    @pytest.fixture
    async def service(self, tmp_path: Path) -> AsyncIterator[Service]:
        async with served(tmp_path, signal_cli_config_dir=tmp_path / "elsewhere" / "config") as running:
            yield running

    async def test_signal_cli_is_asked_for_the_file(self, service: Service) -> None:
        service.daemon.on("getAttachment", {"data": base64.b64encode(PNG).decode()})
        reply = await service.get("/v1/attachments/BxJIwmVr9zpmWIpZiLZ9.png")
        assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, PNG, "image/png")

    async def test_it_is_never_asked_for_a_path(self, service: Service) -> None:
        service.daemon.on("getAttachment", Failure(-1, "Could not find attachment with ID: x"))
        for name in ("..%2Fdata%2Faccounts.json", "..", "a%20b", "%2Fetc%2Fpasswd", ".x"):
            assert (await service.get(f"/v1/attachments/{name}")).status in (400, 404)
        assert service.asked("getAttachment") == []
        assert (await service.get("/v1/attachments/BxJIwmVr9zpmWIpZiLZ9.png")).status == 404
