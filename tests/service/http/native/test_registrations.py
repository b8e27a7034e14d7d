"""`/api/v2/registrations`: captcha, call and PIN are steps, not errors."""

from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

NEW, LOCKED, LIMITED = "+4915100000050", "+4915100000099", "+4915100000098"


async def test_a_number_is_registered_step_by_step(demo: Service) -> None:
    first = (await demo.post("/api/v2/registrations", {"number": NEW})).json
    assert first["state"] == "captcha_required"
    assert first["captcha_url"].startswith("https://signalcaptchas.org/registration/")
    assert first["problem"]["type"] == "urn:signal-courier:problem:captcha-required"
    wrong = (await demo.post("/api/v2/registrations", {"number": NEW, "captcha": "signalcaptcha://fail"})).json
    assert (wrong["state"], wrong["problem"]["type"]) == ("captcha_required", "urn:signal-courier:problem:captcha-rejected")
    sent = (await demo.post("/api/v2/registrations", {"number": NEW, "captcha": "signalcaptcha://good"})).json
    assert (sent["state"], sent["problem"]) == ("code_sent", None)
    answer = await demo.post(f"/api/v2/registrations/{NEW}/verify", {"code": "000-000"})
    assert (answer.status, answer.json["type"]) == (422, "urn:signal-courier:problem:code-rejected")
    assert (await demo.get(f"/api/v2/registrations/{NEW}")).json["state"] == "code_sent"
    done = await demo.post(f"/api/v2/registrations/{NEW}/verify", {"code": "123-456"})
    assert (done.status, done.json["state"]) == (200, "registered")
    assert NEW in [account["number"] for account in (await demo.get("/api/v2/accounts")).json["accounts"]]
    assert (await demo.delete(f"/api/v2/registrations/{NEW}")).status == 204
    assert (await demo.get(f"/api/v2/registrations/{NEW}")).status == 404


async def test_a_locked_number_asks_for_its_pin_and_counts_the_tries(demo: Service) -> None:
    await demo.post("/api/v2/registrations", {"number": LOCKED, "captcha": "signalcaptcha://good"})
    asked = (await demo.post(f"/api/v2/registrations/{LOCKED}/verify", {"code": "123456"})).json
    assert (asked["state"], asked["lock_hours"]) == ("pin_required", 168)
    assert asked["problem"]["type"] == "urn:signal-courier:problem:pin-required"
    wrong = (await demo.post(f"/api/v2/registrations/{LOCKED}/verify", {"code": "123456", "pin": "9999"})).json
    assert (wrong["state"], wrong["lock_hours"]) == ("pin_required", 168)
    assert "9 tries are left" in wrong["problem"]["detail"]
    done = (await demo.post(f"/api/v2/registrations/{LOCKED}/verify", {"code": "123456", "pin": "1234"})).json
    assert done["state"] == "registered"


async def test_a_call_is_possible_a_minute_after_the_sms(demo: Service) -> None:
    await demo.post("/api/v2/registrations", {"number": NEW, "captcha": "signalcaptcha://good"})
    early = await demo.post("/api/v2/registrations", {"number": NEW, "voice": True})
    assert (early.status, early.json["type"]) == (409, "urn:signal-courier:problem:conflict")
    assert 0 < early.json["retry_after"] <= 60
    assert early.headers["Retry-After"] == str(early.json["retry_after"])
    known = demo.courier.services.registrations.get(NEW)
    known.voice_after = 0.0
    called = (await demo.post("/api/v2/registrations", {"number": NEW, "voice": True})).json
    assert called["state"] == "code_sent"


async def test_where_no_sms_goes_a_call_is_the_next_step(tmp_path) -> None:
    answers = {"register": Failure(-1, "Failed to register: (InvalidTransportModeException)")}
    async with served(tmp_path, answers) as service:
        asked = (await service.post("/api/v2/registrations", {"number": NEW})).json
    assert (asked["state"], asked["problem"]["type"]) == ("voice_required", "urn:signal-courier:problem:voice-required")
    assert asked["voice_after"] is not None


async def test_what_is_no_step_is_a_problem(demo: Service) -> None:
    limited = await demo.post("/api/v2/registrations", {"number": LIMITED, "captcha": "signalcaptcha://good"})
    assert (limited.status, limited.json["type"]) == (429, "urn:signal-courier:problem:rate-limited")
    nonsense = await demo.post("/api/v2/registrations", {"number": "hello"})
    assert (nonsense.status, nonsense.json["field"]) == (400, "number")
    missing = await demo.post("/api/v2/registrations", {})
    assert (missing.status, missing.json["type"]) == (400, "urn:signal-courier:problem:invalid-body")
