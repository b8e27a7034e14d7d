"""What the client promises, against the service."""

import pytest

from custom_components.signal_courier.client import (
    NotFound,
    Problem,
    RateLimited,
    SignalCourierClient,
    Unauthorized,
    Unreachable,
    UntrustedIdentity,
)
from custom_components.signal_courier.client.messages import Terms
from tests.integration.courier import DEMO_GROUP, ECHO, HOME, LIMITED, NEWKEY, NOBODY, POLLY, SECOND, TOKEN, uuid_of


async def test_what_is_sent_has_a_name_and_a_fate(client):
    sent = await client.messages.send([ECHO, DEMO_GROUP], text="Hello")
    assert sent.timestamp
    assert {one.state for one in sent.recipients} == {"sent"}
    assert (await client.messages.react(ECHO, author=HOME, timestamp=sent.timestamp, emoji="👍")) is not None
    assert (await client.messages.edit(ECHO, sent.timestamp, "Hello again")).timestamp
    await client.messages.delete(ECHO, sent.timestamp)
    await client.messages.set_typing(ECHO)
    await client.messages.send_receipts(ECHO, [sent.timestamp])
    newest = (await client.messages.history(conversation=ECHO, direction="sent", limit=5)).messages[0]
    assert (newest.id, newest.timestamp) == (sent.id, sent.timestamp)
    assert newest.deleted_at


async def test_what_waits_is_followed_by_its_id(client):
    sent = await client.messages.send([ECHO], text="Hello", terms=Terms(queued=True))
    assert sent.id
    assert (await client.messages.get(sent.id, wait=30)).timestamp
    assert (await client.messages.get(sent.id, wait=30, until="read")).state == "read"


async def test_polls_are_asked_answered_and_closed(client):
    poll = await client.messages.send_poll(POLLY, "Tea?", ["Yes", "No"])
    await client.messages.vote(POLLY, author=HOME, timestamp=poll.timestamp, options=[1])
    await client.messages.close_poll(POLLY, poll.timestamp)


async def test_files_go_up_and_come_down_again(client):
    kept = await client.attachments.upload(b"\x89PNG\r\n\x1a\n" + bytes(100), "door ä.png", type="image/png")
    assert (kept.name, kept.type) == ("door ä.png", "image/png")
    assert len(await client.attachments.download(kept.id)) == 108
    assert (await client.messages.send([ECHO], attachments=[kept.id])).timestamp
    assert kept.id in {one.id for one in await client.attachments.all()}
    await client.attachments.delete(kept.id)
    with pytest.raises(NotFound):
        await client.attachments.download(kept.id)


async def test_people_and_groups_are_found_and_changed(client):
    assert {"Echo Hill", "Demo"} <= {one.name for one in await client.conversations.all()}
    await client.conversations.change(ECHO, name="Bob", blocked=True)
    bob = await client.conversations.get(ECHO)
    assert (bob.name, bob.blocked, bob.id) == ("Bob", True, uuid_of(ECHO))
    assert [one.registered for one in await client.conversations.look_up([ECHO, NOBODY])] == [True, False]
    group = await client.groups.create("Family", members=[ECHO], description="All of us")
    assert group.group.member
    changed = await client.groups.change(group.id, name="Friends", add=[POLLY])
    assert (changed.name, len(changed.group.members)) == ("Friends", 3)
    await client.groups.leave(group.id, admin=POLLY)


async def test_what_goes_wrong_has_a_type_of_its_own(client, courier):
    with pytest.raises(Problem) as nobody:
        await client.messages.send([NOBODY], text="Hello")
    assert nobody.value.kind == "not-on-signal"
    with pytest.raises(RateLimited) as limited:
        await client.messages.send([LIMITED], text="Hello")
    await client.accounts.solve_challenge(limited.value.details.challenge_tokens[0], "signalcaptcha://solved")
    with pytest.raises(UntrustedIdentity):
        await client.messages.send([NEWKEY], text="Hello")
    await client.identities.trust(NEWKEY)
    assert (await client.identities.of(NEWKEY))[0].safety_number
    await client.messages.send([NEWKEY], text="Hello")
    stranger = SignalCourierClient(client._transport.session, courier.url, token="another-token-0123456789")
    with pytest.raises(Unauthorized):
        await stranger.status()
    with pytest.raises(Unauthorized):
        async with stranger.events.follow("x"):
            pass
    for url in ("http://127.0.0.1:1", "nonsense", "", "ftp://127.0.0.1"):
        with pytest.raises(Unreachable):
            await SignalCourierClient(client._transport.session, url).status()


async def test_the_service_tells_how_it_is(client):
    status = await client.status()
    assert {one.number for one in status.accounts} == {HOME, SECOND}
    assert status.account(HOME).uuid == uuid_of(HOME)
    assert (await client.caller()).kind == "token"
    assert {one.number for one in await client.accounts.all()} == {HOME, SECOND}
    assert (await client.accounts.get()).name == "Home"
    assert (await client.accounts.devices())[0].id == 1
    await client.accounts.set_profile(about="I am a house")
    await client.accounts.sync()
    assert await client.stickers.packs()


async def test_a_phone_is_linked_and_a_number_registered(client):
    link = await client.links.start("Home")
    link = await client.links.wait(link.id, after=link.version, seconds=10)
    assert (link.state, link.account) == ("linked", "+4915100000003")
    number = "+4915100000050"
    begun = await client.registrations.begin(number)
    assert begun.state == "captcha_required"
    assert (await client.registrations.begin(number, captcha="signalcaptcha://solved")).state == "code_sent"
    assert (await client.registrations.verify(number, "123-456")).state == "registered"
    assert TOKEN
