"""What Signal puts in the way, and how a client of the service gets past it."""

from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab


async def test_rate_limit_is_lifted_by_solving_its_challenge(house: House, lab: Lab) -> None:
    token = await lab.levers.demand_proof(house.number)
    message = {"number": house.number, "recipients": [lab.ann.aci], "message": "let me through"}
    refused = await house.call("POST", "/v2/send", message)
    assert refused.status == 429
    assert refused.json()["challenge_tokens"] == [token]
    assert refused.json()["account"] == house.number
    challenge = {"challenge_token": token, "captcha": "signalcaptcha://solved"}
    (await house.call("POST", "/v1/accounts/{n}/rate-limit-challenge", challenge)).expect(204)
    await house.send(lab.ann.aci, message="let me through")
    await lab.ann.receives_text("let me through")


async def test_changed_safety_number_stops_messages_until_it_is_trusted(house: House, lab: Lab) -> None:
    await lab.cleo.gets_a_new_phone()
    message = {"number": house.number, "recipients": [lab.cleo.aci], "message": "is it you?"}
    refused = await house.call("POST", "/v2/send", message)
    assert refused.status == 400
    assert refused.json()["error"].startswith("Unable to complete request due to untrusted recipient keys")
    identities = (await house.call("GET", "/v1/identities/{n}")).expect(200)
    untrusted = [identity for identity in identities if identity["status"] == "UNTRUSTED"]
    assert len(untrusted) == 1
    verified = {"verified_safety_number": untrusted[0]["safety_number"]}
    (await house.call("PUT", f"/v1/identities/{{n}}/trust/{lab.cleo.aci}", verified)).expect(204)
    await house.send(lab.cleo.aci, message="it is you")
    await lab.cleo.receives_text("it is you")


async def test_message_to_nobody_says_so(house: House) -> None:
    nobody = "0e000000-0000-4000-8000-000000000000"
    refused = await house.call("POST", "/v2/send", {"number": house.number, "recipients": [nobody], "message": "hello?"})
    assert refused.status in {400, 404}
    assert refused.json()["error"]


async def test_messages_wait_through_an_outage_of_signal(house: House, lab: Lab) -> None:
    await lab.levers.outage(on=True)
    refused = await house.call("POST", "/v2/send", {"number": house.number, "recipients": [lab.ann.aci], "message": "anybody?"})
    await lab.levers.outage(on=False)
    assert refused.status in {400, 503}
    await lab.ann.send(house.aci, "back again")
    await house.receives_text("back again", within=60)
    await house.send(lab.ann.aci, message="here too")
    await lab.ann.receives_text("here too", within=60)
