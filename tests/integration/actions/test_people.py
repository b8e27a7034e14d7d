"""Actions about groups, people, the account and the history."""

import pytest
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, LIMITED, NEWKEY, POLLY, SECOND, uuid_of
from tests.integration.waiting import wait_for, wait_until


def admins(group: dict) -> set[str]:
    return {one["id"] for one in group["members"] if one["admin"]}


def members(group: dict) -> set[str]:
    return {one["id"] for one in group["members"]}


async def test_a_group_is_made_changed_and_left(act, config_entry):
    directory = config_entry.runtime_data.conversations
    group = await act("create_group", name="Family", members=["Echo Hill"], description="All of us", expires_in="01:00:00")
    assert (group["name"], group["kind"], group["expires_in"]) == ("Family", "group", 3600)
    assert members(group) == {uuid_of(HOME), uuid_of(ECHO)}
    where = group["conversation_id"]
    assert directory.resolve("Family").id == where
    group = await act("update_group", conversation="Family", name="Friends", link="enabled", send_messages="only-admins")
    assert (group["name"], directory.resolve("Friends").id) == ("Friends", where)
    assert group["invite_link"].startswith("https://signal.group/#")
    group = await act("add_group_members", conversation=where, members=[POLLY, int(SECOND.removeprefix("+"))])
    assert members(group) >= {uuid_of(POLLY), uuid_of(SECOND)}
    group = await act("add_group_admins", conversation=where, members=POLLY)
    assert uuid_of(POLLY) in admins(group)
    group = await act("remove_group_admins", conversation=where, members=POLLY)
    assert uuid_of(POLLY) not in admins(group)
    group = await act("remove_group_members", conversation=where, members=POLLY)
    assert uuid_of(POLLY) not in members(group)
    group = await act("remove_group_members", conversation=where, members=SECOND, ban=True)
    assert uuid_of(SECOND) not in members(group)
    await act("leave_group", conversation=where, new_admin=ECHO)
    assert directory.get(where) is None or not directory.get(where).group.member


async def test_the_last_admin_is_asked_who_becomes_one(act):
    await act("create_group", name="Family", members=[ECHO])
    with pytest.raises(ServiceValidationError) as error:
        await act("leave_group", conversation="Family")
    assert error.value.translation_key == "group_needs_admin"
    assert str(error.value) == "Family would be without an admin. Say in New admin who becomes one"


async def test_what_is_no_group_is_told(act):
    for name, data in (("update_group", {"name": "X"}), ("leave_group", {}), ("add_group_members", {"members": POLLY})):
        with pytest.raises(ServiceValidationError) as error:
            await act(name, conversation=ECHO, **data)
        assert error.value.translation_key == "not_a_group"


async def test_an_invitation_that_is_none_is_told(act):
    with pytest.raises(ServiceValidationError) as error:
        await act("join_group", link="https://example.org")
    assert error.value.translation_key == "problem_invalid_value"


async def test_a_group_is_joined_by_its_link(act, client, courier):
    group = await act("create_group", name="Open", members=[ECHO], link="enabled")
    await act("leave_group", conversation=group["conversation_id"], new_admin=ECHO)
    joined = await act("join_group", link=group["invite_link"])
    assert joined == {"conversation_id": group["conversation_id"], "waiting": False}


async def test_contacts_are_changed_and_blocked(act, config_entry):
    answer = await act("update_contact", conversation=ECHO, name="Bob", expires_in=60)
    assert (answer["name"], answer["expires_in"]) == ("Bob", 60)
    assert config_entry.runtime_data.conversations.resolve("bob").id == uuid_of(ECHO)
    await act("block", conversation=["Bob", DEMO_GROUP])
    assert config_entry.runtime_data.conversations.resolve("bob").blocked
    assert config_entry.runtime_data.conversations.resolve(DEMO_GROUP).blocked
    await act("unblock", conversation=["Bob", DEMO_GROUP])
    assert not config_entry.runtime_data.conversations.resolve("bob").blocked


async def test_a_new_safety_number_is_trusted_and_what_waited_goes_out(act, client):
    with pytest.raises(HomeAssistantError):
        await act("send_message", conversation=NEWKEY, message="Hello")
    answer = await act("trust_identity", conversation=NEWKEY)
    number = answer["identities"][0]["safety_number"]
    answer = await act("trust_identity", conversation=NEWKEY, safety_number=f" {number[:30]} {number[30:]} ")
    assert answer["identities"][0]["trust"] == "verified"

    async def gone_out() -> bool:
        sent = (await client.messages.history(conversation=NEWKEY, direction="sent")).messages
        return bool(sent) and all(one.timestamp for one in sent)

    await wait_until(gone_out)
    with pytest.raises(HomeAssistantError):
        await act("trust_identity", conversation=NEWKEY, safety_number="12345")


async def test_a_captcha_lifts_the_limit_and_what_waited_goes_out(act, client):
    with pytest.raises(ServiceValidationError) as none:
        await act("submit_challenge", captcha="signalcaptcha://solved")
    assert none.value.translation_key == "no_challenge"
    with pytest.raises(HomeAssistantError):
        await act("send_message", conversation=LIMITED, message="Hello")
    answer = await act("submit_challenge", captcha=" signalcaptcha://solved\n")
    assert answer["token"].startswith("simulated-challenge")

    async def gone_out() -> bool:
        return bool((await client.messages.history(conversation=LIMITED, direction="sent")).messages[0].timestamp)

    await wait_until(gone_out)


async def test_the_profile_is_changed(act, client, tmp_path, hass):
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    (tmp_path / "face.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert await act("set_profile", given_name="House", about="I am", about_emoji="🏠", avatar=str(tmp_path / "face.png")) == {
        "account": HOME
    }
    assert (await client.accounts.get()).name == "House"


async def test_what_was_said_is_looked_up(act, courier):
    await courier.deliver("Where is the key?", group_id=DEMO_GROUP_ID)
    sent = await act("send_message", conversation=DEMO_GROUP, message="Under the mat")
    await act("react", handle=sent["handle"], emoji="👍")
    await act("send_poll", conversation=DEMO_GROUP, question="Found?", options=["Yes", "No"])
    answer = await act("get_messages", conversation=DEMO_GROUP, limit=10)
    newest, second = answer["messages"][0:2] if "poll" in answer["messages"][0] else answer["messages"][1:3]
    assert newest["poll"]["question"] == "Found?"
    found = await act("get_messages", conversation="Demo", search="KEY", direction="received")
    (message,) = (one for one in found["messages"] if one["text"] == "Where is the key?")
    assert (message["sender"], message["conversation"], message["handle"].split(":")[2]) == ("Echo Hill", "Demo", uuid_of(ECHO))
    (own,) = (one for one in answer["messages"] if one["handle"] == sent["handle"])
    assert ([one["emoji"] for one in own["reactions"]], own["direction"]) == (["👍"], "sent")
    everything = await act("get_messages", limit=2)
    assert len(everything["messages"]) == 2
    older = await act("get_messages", limit=2, before=everything["next"])
    assert not {one["id"] for one in older["messages"]} & {one["id"] for one in everything["messages"]}
    with pytest.raises(ServiceValidationError) as error:
        await act("get_messages", conversation=[ECHO, POLLY])
    assert error.value.translation_key == "target_not_single"
    assert second


async def test_conversations_are_listed_with_everything(act):
    answer = await act("get_conversations")
    by_name = {one["name"]: one for one in answer["conversations"]}
    assert by_name["Echo Hill"]["number"] == ECHO
    assert len(by_name["Demo"]["members"]) == 5
    assert {one["kind"] for one in (await act("get_conversations", kind="group"))["conversations"]} == {"group"}
    assert [one["name"] for one in (await act("get_conversations", search="pol"))["conversations"]] == ["Polly Vote"]


async def test_when_the_service_is_down_every_action_says_so(act, courier):
    await courier.stop()
    for name, data in (
        ("get_conversations", {}),
        ("get_messages", {}),
        ("set_typing", {"conversation": ECHO}),
        ("send_poll", {"conversation": ECHO, "question": "?", "options": ["A", "B"]}),
        ("create_group", {"name": "X"}),
        ("block", {"conversation": ECHO}),
    ):
        with pytest.raises(HomeAssistantError) as error:
            await act(name, **data)
        assert error.value.translation_key == "cannot_connect", name


async def test_an_account_whose_phone_has_removed_it_says_so(act, courier, config_entry):
    (timestamp,) = await courier.deliver("Hello")
    await courier.unlink()
    coordinator = config_entry.runtime_data.coordinator
    await wait_for(lambda: coordinator.account is not None and coordinator.account.state == "unlinked")
    with pytest.raises(HomeAssistantError) as error:
        await act("react", conversation=ECHO, timestamp=timestamp, author=ECHO, emoji="👍")
    assert error.value.translation_key == "problem_unlinked"


async def test_the_history_has_files_quotes_and_stickers(act, client, courier, config_entry):
    first = await act("send_message", conversation=ECHO, message="Is it warm?")
    quote = {"quote": {"id": first["timestamp"], "author": HOME, "authorUuid": uuid_of(HOME), "text": "Is it warm?", "attachments": []}}
    await courier.speak(quote, text="Yes")
    (pack, *_) = await client.stickers.packs()
    await act("send_message", conversation=ECHO, sticker=pack.stickers[0].sticker)
    kept = await client.attachments.upload(b"Hello", "hello.txt", type="text/plain")
    await client.messages.send([ECHO], text="Look", attachments=[kept.id])
    await courier.settled()
    found = (await act("get_messages", conversation=ECHO, direction="received"))["messages"]
    (answer,) = (one for one in found if one.get("text") == "Yes")
    assert (answer["quote"]["timestamp"], answer["quote"]["text"]) == (first["timestamp"], "Is it warm?")
    assert [one["sticker"] for one in found if "sticker" in one] == [pack.stickers[0].sticker]
    (file,) = (one["attachments"][0] for one in found if one["attachments"])
    assert file["media_content_id"] == f"media-source://signal_courier/{config_entry.entry_id}/file/{file['id']}"
