"""`/v1/send` and `/v2/send`: whatever clients send arrives, and who was not reached is told."""

import base64
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp.test_utils
import aiohttp.web
import pytest
import pytest_asyncio

from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

ANN, BEN = ACCOUNTS = ("+4915100000001", "+4915100000002")
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
GROUP_ID = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
OTHER_GROUP = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
UUID = "11111111-1111-4111-8111-111111111111"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")

PARTIAL = {
    "timestamp": 1700000000123,
    "results": [
        {"recipientAddress": {"uuid": UUID, "number": BEN}, "type": "SUCCESS"},
        {"recipientAddress": {"uuid": UUID, "number": None}, "type": "UNREGISTERED_FAILURE"},
    ],
}
UNTRUSTED = {"results": [{"recipientAddress": {"uuid": UUID, "number": BEN}, "type": "IDENTITY_FAILURE"}]}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, accounts=ACCOUNTS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with served(tmp_path_factory.mktemp("kept"), accounts=ACCOUNTS) as running:
        yield running


def to(*recipients: str, **more: object) -> dict[str, object]:
    return {"number": ANN, "recipients": list(recipients), "message": "Hello", **more}


class TestRecipients:
    @pytest.mark.parametrize(
        "fields,expected",
        [
            ({"recipients": [BEN]}, {"recipient": [BEN]}),
            ({"recipients": BEN}, {"recipient": [BEN]}),
            ({"recipient": BEN}, {"recipient": [BEN]}),
            ({"recipient": [BEN], "recipients": None}, {"recipient": [BEN]}),
            ({"recipients": [BEN], "recipient": ""}, {"recipient": [BEN]}),
            ({"Recipients": [BEN]}, {"recipient": [BEN]}),
            ({"recipients": ["+49 1510 0000-002"]}, {"recipient": [BEN]}),
            ({"recipients": ["4930123456"]}, {"recipient": ["+4930123456"]}),
            ({"recipients": [UUID.upper()]}, {"recipient": [UUID]}),
            ({"recipients": [f"PNI:{UUID}"]}, {"recipient": [f"PNI:{UUID}"]}),
            ({"recipients": ["name.01"]}, {"username": ["name.01"]}),
            ({"recipients": ["u:name.01"]}, {"username": ["name.01"]}),
            ({"recipients": [GROUP_ID]}, {"groupId": [GROUP]}),
            ({"recipients": [GROUP]}, {"groupId": [GROUP]}),
            ({"recipients": [GROUP.replace("+", "-")]}, {"groupId": [GROUP]}),
            ({"group_id": GROUP}, {"groupId": [GROUP]}),
            ({"groupid": GROUP_ID}, {"groupId": [GROUP]}),
            ({"recipients": [BEN, BEN]}, {"recipient": [BEN]}),
        ],
    )
    async def test_every_spelling_reaches_signal_cli_as_it_reads_it(
        self, shared: Service, fields: dict[str, object], expected: dict[str, object]
    ) -> None:
        reply = await shared.post("/v2/send", {"number": ANN, "message": "Hello", **fields})
        assert reply.status == 201, reply.body
        assert shared.asked() == [{"account": ANN, "message": "Hello", "notifySelf": True, **expected}]

    async def test_kinds_may_be_mixed_and_each_group_is_a_call_of_its_own(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN, GROUP_ID, "name.01", UUID, OTHER_GROUP))
        assert reply.status == 201
        assert len(reply.json) == 4
        targets = [{key: params[key] for key in ("recipient", "username", "groupId") if key in params} for params in service.asked()]
        assert targets == [{"recipient": [BEN, UUID]}, {"groupId": [GROUP]}, {"username": ["name.01"]}, {"groupId": [OTHER_GROUP]}]

    @pytest.mark.parametrize("recipient", ["", "--attachment", "-a", "x", "49151", "+", "group.1234", "../x", "a" * 5000, "\x00", "u:"])
    async def test_what_is_no_recipient_is_refused_by_name(self, shared: Service, recipient: str) -> None:
        reply = await shared.post("/v2/send", to(recipient))
        assert reply.status == 400
        assert "recipients" in reply.error or recipient in reply.error
        assert shared.asked() == []

    @pytest.mark.parametrize("fields", [{}, {"recipients": []}, {"recipients": None}, {"recipients": "", "recipient": ""}])
    async def test_nobody_is_refused_in_upstreams_words(self, shared: Service, fields: dict[str, object]) -> None:
        reply = await shared.post("/v2/send", {"number": ANN, "message": "Hello", **fields})
        assert (reply.status, reply.error) == (400, "Couldn't process request - please provide at least one recipient")


class TestSender:
    async def test_account_is_another_name_for_number(self, service: Service) -> None:
        await service.post("/v2/send", {"account": BEN, "recipients": [ANN], "message": "Hello"})
        assert service.asked()[0]["account"] == BEN

    async def test_only_account_sends_when_none_is_named(self, service: Service) -> None:
        service.daemon.accounts = [BEN]
        reply = await service.post("/v2/send", {"recipients": [ANN], "message": "Hello"})
        assert (reply.status, service.asked()[0]["account"]) == (201, BEN)

    async def test_one_of_several_accounts_must_be_named(self, service: Service) -> None:
        reply = await service.post("/v2/send", {"recipients": [ANN], "message": "Hello"})
        assert (reply.status, reply.error) == (400, "Couldn't process request - please provide a valid number")

    async def test_default_account_sends_when_none_is_named(self, tmp_path: Path) -> None:
        async with served(tmp_path, accounts=ACCOUNTS, default_account=BEN) as service:
            await service.post("/v2/send", {"recipients": [ANN], "message": "Hello", "number": None})
            assert service.asked()[0]["account"] == BEN


class TestFields:
    async def test_styled_text_becomes_ranges(self, service: Service) -> None:
        await service.post("/v2/send", to(BEN, message="a **b** 2*3", text_mode="styled"))
        (params,) = service.asked()
        assert (params["message"], params["textStyle"]) == ("a b 2*3", ["2:1:BOLD"])

    @pytest.mark.parametrize("mode", [None, "", "normal"])
    async def test_text_is_plain_unless_asked_otherwise(self, service: Service, mode: str | None) -> None:
        await service.post("/v2/send", to(BEN, message="a **b**", text_mode=mode))
        (params,) = service.asked()
        assert params["message"] == "a **b**"
        assert "textStyle" not in params

    async def test_text_mode_of_the_settings_counts_where_none_is_named(self, tmp_path: Path) -> None:
        async with served(tmp_path, accounts=ACCOUNTS, default_text_mode="styled") as service:
            await service.post("/v2/send", to(BEN, message="a **b**"))
            assert service.asked()[0]["textStyle"] == ["2:1:BOLD"]

    async def test_unknown_text_mode_is_refused_by_name(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN, text_mode="markdown"))
        assert reply.status == 400
        assert "text_mode" in reply.error

    async def test_mentions_are_objects_or_texts_and_keep_the_callers_positions(self, service: Service) -> None:
        mentions = [{"start": 9, "length": 1, "author": BEN}, f"11:1:{UUID}"]
        await service.post("/v2/send", to(GROUP_ID, message="**hi** X Y", text_mode="styled", mentions=mentions))
        assert service.asked()[0]["mention"] == [f"9:1:{BEN}", f"11:1:{UUID}"]

    @pytest.mark.parametrize("mention", ["x", "1:2", "a:1:+4915100000002", "0:1:", {"start": -1, "length": 1, "author": BEN}])
    async def test_broken_mention_is_refused_by_name(self, service: Service, mention: object) -> None:
        reply = await service.post("/v2/send", to(GROUP_ID, mentions=[mention]))
        assert reply.status == 400
        assert "mentions" in reply.error

    async def test_flags_and_references_go_through(self, service: Service) -> None:
        fields = {"edit_timestamp": 1700000000001, "voice_note": True, "no_urgent": True, "notify_self": False, "sticker": "aa:1"}
        await service.post("/v2/send", to(BEN, **fields))
        (params,) = service.asked()
        assert {key: params[key] for key in ("editTimestamp", "voiceNote", "noUrgent", "sticker")} == {
            "editTimestamp": 1700000000001, "voiceNote": True, "noUrgent": True, "sticker": "aa:1",
        }  # fmt: skip
        assert "notifySelf" not in params

    async def test_a_quote_without_its_timestamp_is_left_out_as_upstream_has_it(self, service: Service) -> None:
        assert (await service.post("/v2/send", to(BEN, quote_author=BEN, quote_message="Hi", quote_timestamp=None))).status == 201
        assert not [key for key in service.calls[-1][1] if key.startswith("quote")]

    async def test_a_mention_as_it_was_received_can_be_sent(self, service: Service) -> None:
        received = {"name": "Ben", "number": None, "uuid": UUID, "start": 0, "length": 1}
        assert (await service.post("/v2/send", to(BEN, mentions=[received]))).status == 201
        assert service.calls[-1][1]["mention"] == [f"0:1:{UUID}"]

    @pytest.mark.parametrize("field", ["quote_timestamp", "edit_timestamp", "story_timestamp"])
    async def test_a_number_of_more_than_64_bits_is_refused_and_harms_nobody_else(self, service: Service, field: str) -> None:
        assert (await service.post("/v2/send", to(BEN, **{field: 2**63}))).status == 400
        assert (await service.post("/v2/send", to(BEN))).status == 201
        assert [method for method, _ in service.calls] == ["send"]

    async def test_what_the_running_signal_cli_lacks_is_501_and_names_the_version(self, tmp_path: Path) -> None:
        async with served(tmp_path, {"version": {"version": "0.13.19"}}, accounts=ACCOUNTS) as service:
            reply = await service.post("/v2/send", to(BEN, voice_note=True))
            assert reply.status == 501
            assert "0.14.2" in reply.error

    @pytest.mark.parametrize(
        "preview,error",
        [
            ({"title": "T"}, "Please provide a valid Link Preview URL"),
            ({"url": "http://e.org", "title": "T"}, "Link Preview URL must start with https://.."),
            ({"url": "https://e.org"}, "Please provide a valid Link Preview Title"),
            ({"url": "https://other.org", "title": "T"}, "Link Preview URL is missing in the message!"),
        ],
    )
    async def test_link_preview_must_fit_the_text(self, service: Service, preview: dict[str, str], error: str) -> None:
        reply = await service.post("/v2/send", to(BEN, message="see https://e.org", link_preview=preview))
        assert (reply.status, reply.error) == (400, error)

    async def test_a_link_preview_may_have_an_empty_picture(self, service: Service) -> None:
        preview = {"url": "https://e.org", "title": "T", "base64_thumbnail": ""}
        assert (await service.post("/v2/send", to(BEN, message="see https://e.org", link_preview=preview))).status == 201
        assert "previewImage" not in service.calls[-1][1]


class TestAnswers:
    async def test_current_dialect_answers_a_list_of_one(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN))
        assert reply.json == [{"timestamp": "1700000000123", "results": [{"recipientNumber": BEN, "success": True}]}]
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"

    @pytest.mark.parametrize("dialect", ["0.100", "morph027"])
    async def test_older_dialects_answer_one_object(self, service: Service, dialect: str) -> None:
        reply = await service.post(f"/d/{dialect}/v2/send", to(BEN, GROUP_ID))
        assert reply.status == 201
        assert reply.json["timestamp"] == "1700000000123"
        assert reply.json["timestamps"] == {"1700000000123": {"recipients": [BEN, GROUP]}}

    async def test_who_was_not_reached_is_named(self, service: Service) -> None:
        service.daemon.on("send", PARTIAL)
        reply = await service.post("/v2/send", to(BEN))
        assert reply.status == 201
        assert reply.json[0]["errors"] == {"recipients": [{"uuid": UUID, "reason": "UNREGISTERED_FAILURE"}]}
        assert [result["success"] for result in reply.json[0]["results"]] == [True, False]

    async def test_one_kind_that_fails_does_not_hide_the_others_success(self, service: Service) -> None:
        service.daemon.on("send", lambda params: _fail(-1, "Group not found") if "groupId" in params else PARTIAL)
        reply = await service.post("/v2/send", to(GROUP_ID, BEN, "name.01"))
        assert reply.status == 201
        assert len(reply.json) == 2
        assert {"group_id": GROUP_ID, "reason": "FAILURE"} in reply.json[0]["errors"]["recipients"]

    async def test_rate_limit_is_429_with_the_tokens_of_all_calls(self, service: Service) -> None:
        tokens = iter(["one", "two"])
        service.daemon.on("send", lambda _: _fail(-5, "Failed to send message due to rate limiting", _limited(next(tokens), None)))
        reply = await service.post("/v2/send", to(BEN, GROUP_ID))
        assert reply.status == 429
        assert reply.json["challenge_tokens"] == ["one", "two"]
        assert reply.json["account"] == ANN
        assert "'/v1/accounts/{number}/rate-limit-challenge'" in reply.error
        assert reply.headers["Retry-After"] == "3600"

    async def test_rate_limit_without_token_has_no_empty_one(self, service: Service) -> None:
        service.daemon.on("send", Failure(-5, "limited", _limited(None)))
        reply = await service.post("/v2/send", to(BEN))
        assert reply.status == 429
        assert "challenge_tokens" not in reply.json

    async def test_rate_limit_is_400_on_the_older_route(self, service: Service) -> None:
        service.daemon.on("send", Failure(-5, "limited", _limited("one")))
        assert (await service.post("/v1/send", to(BEN))).status == 400

    async def test_partial_rate_limit_tells_its_tokens(self, service: Service) -> None:
        service.daemon.on("send", lambda params: _fail(-5, "limited", _limited("one")) if "groupId" in params else PARTIAL)
        reply = await service.post("/v2/send", to(BEN, GROUP_ID))
        assert reply.status == 201
        assert reply.json[0]["errors"]["challenge_tokens"] == ["one"]

    @pytest.mark.parametrize("route", ["/v2/send", "/v1/send"])
    async def test_lost_connection_is_503_at_once(self, service: Service, route: str) -> None:
        service.daemon.on("send", lambda _: service.daemon.drop_connections())
        reply = await service.post(route, to(BEN))
        assert reply.status == 503
        assert "Retry-After" in reply.headers


class TestIdentities:
    async def test_changed_safety_number_is_an_error_unless_told_otherwise(self, service: Service) -> None:
        service.daemon.on("send", Failure(-4, "untrusted", {"response": UNTRUSTED}))
        reply = await service.post("/v2/send", to(BEN))
        assert (reply.status, reply.error) == (400, "Unable to complete request due to untrusted recipient keys")
        assert service.asked("trust") == []

    async def test_with_always_it_is_trusted_and_sent_again(self, service: Service) -> None:
        await service.courier.trust.set_mode(ANN, "always")
        answers: list[Any] = [PARTIAL, Failure(-4, "untrusted", {"response": UNTRUSTED})]
        service.daemon.on("send", lambda _: _raise_or_give(answers.pop()))
        reply = await service.post("/v2/send", to(BEN))
        assert reply.status == 201
        assert service.asked("trust") == [{"account": ANN, "recipient": UUID, "trustAllKnownKeys": True}]

    async def test_with_always_only_those_are_sent_to_again_who_were_not_reached(self, service: Service) -> None:
        await service.courier.trust.set_mode(ANN, "always")
        reached = {"recipientAddress": {"uuid": None, "number": "+4915100000003"}, "type": "SUCCESS"}
        second = {"timestamp": 6, "results": [{"recipientAddress": {"uuid": UUID, "number": BEN}, "type": "SUCCESS"}]}
        answers: list[Any] = [second, {"timestamp": 5, "results": [*UNTRUSTED["results"], reached]}]
        service.daemon.on("send", lambda _: answers.pop())
        reply = await service.post("/v2/send", to(BEN, "+4915100000003"))
        assert [params["recipient"] for params in service.asked()] == [[BEN, "+4915100000003"], [UUID]]
        assert reply.json[0]["timestamp"] == "5"
        assert [result["recipientNumber"] for result in reply.json[0]["results"]] == [BEN, "+4915100000003"]
        assert [result["success"] for result in reply.json[0]["results"]] == [True, True]


class TestOlderRoutes:
    async def test_v1_takes_a_group_id_without_prefix(self, service: Service) -> None:
        reply = await service.post("/v1/send", to(GROUP_ID.removeprefix("group."), is_group=True))
        assert reply.status == 201
        assert reply.json["timestamp"] == "1700000000123"
        assert service.asked()[0]["groupId"] == [GROUP]

    async def test_v1_takes_an_empty_attachment_for_none(self, service: Service) -> None:
        assert (await service.post("/v1/send", to(BEN, base64_attachment=""))).status == 201
        assert "attachment" not in service.calls[-1][1]

    async def test_v1_group_stands_alone(self, service: Service) -> None:
        reply = await service.post("/v1/send", to(GROUP_ID, GROUP_ID, is_group=True))
        assert (reply.status, reply.error) == (400, "More than one recipient is currently not allowed")
        assert (await service.post("/v1/send", to(is_group=True))).error == "Please specify at least one recipient"

    @pytest.mark.parametrize(
        "spelled,expected",
        [
            (BEN, {"recipient": [BEN]}),
            ("%2B4915100000002", {"recipient": [BEN]}),
            ("%252B4915100000002", {"recipient": [BEN]}),
            (GROUP_ID, {"groupId": [GROUP]}),
            (OTHER_GROUP, {"groupId": [OTHER_GROUP]}),
            ("_-ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", {"groupId": ["/+ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]}),
            ("/+ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", {"groupId": ["/+ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]}),
            ("A/ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", {"groupId": ["A/ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]}),
        ],
    )
    async def test_recipient_in_the_path_has_any_spelling(self, shared: Service, spelled: str, expected: dict[str, object]) -> None:
        reply = await shared.post(f"/v1/send/{spelled}", {"message": "Hello", "number": ANN})
        assert reply.status == 201
        assert set(reply.json) >= {"timestamp", "timestamps"}
        assert shared.asked() == [{"account": ANN, "message": "Hello", "notifySelf": True, **expected}]


class TestAttachments:
    @pytest.fixture
    def contents(self, service: Service) -> list[tuple[str, bytes]]:
        """Name and content of every file that signal-cli saw, read while the call ran."""
        seen: list[tuple[str, bytes]] = []

        def read(params: dict[str, Any]) -> object:
            seen.extend((Path(path).name, Path(path).read_bytes()) for path in params.get("attachment", []))
            assert all(Path(path).is_absolute() for path in params.get("attachment", []))
            return {"timestamp": 1700000000123, "results": []}

        service.daemon.on("send", read)
        return seen

    async def test_forms_names_and_order_are_kept(self, service: Service, contents: list[tuple[str, bytes]]) -> None:
        files = ["data:text/plain;filename=a.txt;base64,aGVsbG8=", "data:text/plain;filename=a.txt;base64,d29ybGQ=", "aGVsbG8="]
        assert (await service.post("/v2/send", to(BEN, base64_attachments=files))).status == 201
        assert contents[:2] == [("a.txt", b"hello"), ("a.txt", b"world")]
        assert contents[2][0].endswith(".txt")
        assert service.spooled() == []

    @pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "--evil.txt", ".evil.txt", "evil.txt\x00"])
    async def test_no_name_leaves_the_folder(self, service: Service, contents: list[tuple[str, bytes]], name: str, tmp_path: Path) -> None:
        before = _outside(tmp_path)
        await service.post("/v2/send", to(BEN, base64_attachments=[f"data:text/plain;filename={name};base64,aGVsbG8="]))
        assert contents == [("evil.txt", b"hello")]
        assert _outside(tmp_path) == before
        assert service.spooled() == []

    async def test_large_file_goes_through_unharmed(self, service: Service, contents: list[tuple[str, bytes]]) -> None:
        data = bytes(range(256)) * 1024
        encoded = base64.b64encode(data).decode()
        reply = await service.post("/v2/send", to(BEN, base64_attachments=[f"data:x/y;filename=big.bin;base64,{encoded}", encoded]))
        assert reply.status == 201
        assert contents[0] == ("big.bin", data)
        assert contents[1][1] == data
        assert service.spooled() == []

    @pytest.mark.parametrize("answer", [Failure(-1, "no"), Failure(-32603, "boom (NullPointerException)"), RuntimeError])
    async def test_nothing_is_left_when_the_send_fails(self, service: Service, answer: object) -> None:
        service.daemon.on("send", answer if isinstance(answer, Failure) else lambda _: service.daemon.drop_connections())
        reply = await service.post("/v2/send", to(BEN, base64_attachments=["aGVsbG8=", "d29ybGQ="]))
        assert reply.status in (400, 503)
        assert service.spooled() == []

    async def test_nothing_is_left_when_a_later_file_is_broken(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN, base64_attachments=["aGVsbG8=", "!!!"]))
        assert (reply.status, reply.error) == (400, "illegal base64 data at input byte 0")
        assert service.spooled() == []
        assert service.asked() == []

    async def test_null_lists_are_no_files(self, service: Service) -> None:
        assert (await service.post("/v2/send", to(BEN, base64_attachments=None, attachments=None, mentions=None))).status == 201
        assert "attachment" not in service.asked()[0]

    async def test_view_once_needs_a_file(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN, view_once=True))
        assert (reply.status, reply.error) == (400, "'view_once' can only be set for image attachments!")

    @pytest.mark.parametrize("field", ["attachments", "base64_attachments"])
    async def test_upload_can_be_sent_by_id_or_path_more_than_once(
        self, service: Service, contents: list[tuple[str, bytes]], field: str
    ) -> None:
        form = aiohttp.FormData()
        form.add_field("file", PNG, filename="cat.png", content_type="image/png")
        uploaded = (await service.post("/v1/attachments", form)).json
        for _ in range(2):
            assert (await service.post("/v2/send", to(BEN, **{field: [uploaded["id"], uploaded["path"]]}))).status == 201
        assert contents == [("cat.png", PNG)] * 4

    async def test_received_attachment_can_be_sent_on(self, service: Service, contents: list[tuple[str, bytes]]) -> None:
        folder = service.courier.settings.attachments_dir
        folder.mkdir(parents=True)
        (folder / "BxJIwmVr9zpmWIpZiLZ9.png").write_bytes(PNG)
        await service.post("/v2/send", to(BEN, attachments=["BxJIwmVr9zpmWIpZiLZ9.png"]))
        assert contents == [("BxJIwmVr9zpmWIpZiLZ9.png", PNG)]
        assert (folder / "BxJIwmVr9zpmWIpZiLZ9.png").exists()

    @pytest.mark.parametrize(
        "unknown", ["BxJIwmVr9zpmWIpZiLZ9.png", "upload-" + "0" * 32, "/v1/attachments/nothing.png", "../../etc/passwd"]
    )
    async def test_unknown_id_is_refused_by_name(self, service: Service, unknown: str) -> None:
        reply = await service.post("/v2/send", to(BEN, attachments=[unknown]))
        assert reply.status == 400
        assert service.asked() == []


class TestAddresses:
    @pytest.fixture
    async def web(self) -> AsyncIterator[str]:
        """A web server on this machine."""

        async def file(_: aiohttp.web.Request) -> aiohttp.web.Response:
            return aiohttp.web.Response(body=PNG, headers={"Content-Disposition": 'attachment; filename="../cat.png"'})

        async def away(request: aiohttp.web.Request) -> aiohttp.web.Response:
            raise aiohttp.web.HTTPFound(request.query["to"])

        async def large(_: aiohttp.web.Request) -> aiohttp.web.Response:
            return aiohttp.web.Response(body=bytes(2 * 1024 * 1024))

        async def loop(_: aiohttp.web.Request) -> aiohttp.web.Response:
            raise aiohttp.web.HTTPFound("/loop")

        app = aiohttp.web.Application()
        app.add_routes(
            [
                aiohttp.web.get("/cat", file),
                aiohttp.web.get("/away", away),
                aiohttp.web.get("/large", large),
                aiohttp.web.get("/loop", loop),
            ]
        )
        async with aiohttp.test_utils.TestServer(app) as server:
            yield f"http://127.0.0.1:{server.port}"

    async def test_addresses_are_refused_unless_allowed(self, service: Service) -> None:
        reply = await service.post("/v2/send", to(BEN, attachments=["https://example.org/cat.png"]))
        assert reply.status == 400
        assert "COURIER_ATTACHMENT_URLS" in reply.error

    @pytest.mark.parametrize(
        "address",
        [
            "https://127.0.0.1/x", "https://127.1/x", "https://[::1]/x", "https://[::ffff:10.0.0.1]/x", "https://169.254.169.254/latest",
            "https://192.168.1.1/", "https://localhost/x", "https://2130706433/", "https://0x7f000001/", "http://example.org/x",
            "https://user@10.0.0.1/", "https:///x", "https://[64:ff9b::7f00:1]/",
        ],
    )  # fmt: skip
    async def test_own_network_cannot_be_reached(self, tmp_path: Path, address: str) -> None:
        async with served(tmp_path, accounts=ACCOUNTS, attachment_urls=True) as service:
            reply = await service.post("/v2/send", to(BEN, attachments=[address]))
            assert reply.status == 400
            assert "attachments" in reply.error
            assert service.asked() == []
            assert service.spooled() == []

    async def test_name_that_points_home_is_not_followed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = socket.getaddrinfo

        def resolve(host: object, *more: Any, **others: Any) -> Any:
            return real("127.0.0.1" if host == "home.example" else host, *more, **others)  # type: ignore[arg-type]  # as given

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        async with served(tmp_path, accounts=ACCOUNTS, attachment_urls=True) as service:
            reply = await service.post("/v2/send", to(BEN, attachments=["https://home.example/x"]))
            assert (reply.status, reply.error) == (400, "attachments: the address is in a private network")

    async def test_private_address_is_fetched_where_that_is_allowed(self, tmp_path: Path, web: str) -> None:
        async with served(tmp_path, accounts=ACCOUNTS, attachment_urls=True, attachment_urls_private=True) as service:
            seen: list[tuple[str, bytes]] = []
            service.daemon.on("send", lambda params: _note(seen, params))
            assert (await service.post("/v2/send", to(BEN, attachments=[f"{web}/cat", f"{web}/away?to=/cat"]))).status == 201
            assert seen == [("cat.png", PNG), ("cat.png", PNG)]
            assert service.spooled() == []

    async def test_nobody_gets_through_an_attachment_what_this_machine_alone_may_ask_for(self, tmp_path: Path) -> None:
        """The service trusts this machine; what it fetches for somebody is not asked by this machine."""
        async with served(tmp_path, accounts=ACCOUNTS, attachment_urls=True, attachment_urls_private=True) as service:
            here = f"http://127.0.0.1:{service.courier.server.port}"
            for path in ("/v1/accounts", "/api/v2/backup", "/api/v2/tokens"):
                reply = await service.post("/v2/send", to(BEN, attachments=[here + path]))
                assert (reply.status, reply.error) == (400, "attachments: the address answered with status 401")
            assert service.asked() == []

    @pytest.mark.parametrize("path,status", [("/large", 413), ("/missing", 400), ("/loop", 400), ("/away?to=ftp://x/", 400)])
    async def test_what_cannot_be_fetched_is_refused(self, tmp_path: Path, web: str, path: str, status: int) -> None:
        async with served(tmp_path, accounts=ACCOUNTS, attachment_urls=True, attachment_urls_private=True, body_limit_mib=1) as service:
            reply = await service.post("/v2/send", to(BEN, attachments=[web + path]))
            assert reply.status == status
            assert service.spooled() == []


def _outside(folder: Path) -> list[Path]:
    """What lies below a folder, but for the folder of temporary files and the database."""
    return sorted(path for path in folder.rglob("*") if "spool" not in path.parts and "courier.db" not in path.name)


def _fail(code: int, message: str, data: object = None) -> object:
    raise Failure(code, message, data)


def _raise_or_give(answer: object) -> object:
    if isinstance(answer, Failure):
        raise answer
    return answer


def _limited(token: str | None, *more: str | None) -> dict[str, object]:
    address = {"uuid": UUID, "number": BEN}
    results = [
        {"recipientAddress": address, "type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": 3600} | ({"token": one} if one else {})
        for one in (token, *more)
    ]
    return {"response": {"timestamp": 1, "results": results}}


def _note(seen: list[tuple[str, bytes]], params: dict[str, Any]) -> object:
    seen.extend((Path(path).name, Path(path).read_bytes()) for path in params["attachment"])
    return {"timestamp": 1, "results": []}
