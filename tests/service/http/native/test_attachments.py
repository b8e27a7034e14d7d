"""`/api/v2/attachments`: files that a browser does not run, with safe names, whole or in parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.served import Service, served


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {}) as running:
        yield running


async def test_an_upload_comes_back_with_its_name_and_nothing_is_run(service: Service) -> None:
    page = b"<html><script>alert(1)</script></html>"
    kept = await service.post("/api/v2/attachments", page, **{"Content-Disposition": 'attachment; filename="../../p\u00e4ge.html"'})
    assert kept.status == 201, kept.body
    assert kept.json["size"] == len(page)
    got = await service.get(kept.json["url"])
    assert got.body == page
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    assert "/" not in got.headers["Content-Disposition"].partition(";")[2]
    listed = (await service.get("/api/v2/attachments")).json
    assert (listed["total"], listed["attachments"]) == (1, [kept.json])
    assert (await service.delete(kept.json["url"])).status == 204
    assert (await service.get(kept.json["url"])).status == 404


async def test_a_part_of_a_received_file_can_be_asked_for(service: Service) -> None:
    folder = service.courier.settings.attachments_dir
    folder.mkdir(parents=True)
    (folder / "abcdefgh.bin").write_bytes(bytes(range(200)))
    part = await service.get("/api/v2/attachments/abcdefgh.bin", Range="bytes=10-19")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, bytes(range(10, 20)), "bytes 10-19/200")
    beyond = await service.get("/api/v2/attachments/abcdefgh.bin", Range="bytes=500-")
    assert beyond.status == 416
    named = await service.get("/api/v2/attachments/abcdefgh.bin?name=..%2F%22holiday%22%0d%0a.jpg")
    assert "\r" not in named.headers["Content-Disposition"]
    assert "filename*=UTF-8''%22holiday%22.jpg" in named.headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["..%2f..%2fcourier.db", "%2e%2e", ".hidden", "nothing.jpg", "a%00b", "upload-" + "0" * 32])
async def test_nothing_outside_the_folders_is_served_or_deleted(service: Service, name: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await service.request(method, f"/api/v2/attachments/{name}")
        assert answer.status in (400, 404)
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_empty_upload_is_refused(service: Service) -> None:
    answer = await service.post("/api/v2/attachments", b"")
    assert (answer.status, answer.json["field"]) == (400, "file")
    assert service.spooled() == []
