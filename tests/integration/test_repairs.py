"""What only a person can mend is told in the repairs, mended there, and gone as soon as it is mended."""

from typing import Any

import pytest
from homeassistant.components.repairs.issue_handler import async_setup as async_setup_repairs
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier import coordinator, issues
from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.client.messages import Terms
from custom_components.signal_courier.client.models import OutboxMessage, Recipient
from custom_components.signal_courier.const import DOMAIN
from custom_components.signal_courier.issues import issue_id, parked_of
from tests.integration.conftest import Setup
from tests.integration.courier import ECHO, HOME, LIMITED, NEWKEY, Courier, uuid_of
from tests.integration.flows.dialogs import give, progressed
from tests.integration.waiting import wait_for, wait_until

CAPTCHA = "signalcaptcha://signal-hcaptcha.5fad97ac.challenge.P1_eyJ0"
FAILING = "signalcaptcha://signal-hcaptcha.5fad97ac.challenge.fail"


@pytest.fixture(autouse=True)
def repairs(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialogs of the repairs, without the web server that shows them; and a status that is asked for at once."""
    monkeypatch.setattr(coordinator, "_COOLDOWN", 0.02)
    hass.data["repairs"] = {}
    async_setup_repairs(hass)


def told(hass: HomeAssistant, entry: MockConfigEntry, kind: str, who: str = "") -> ir.IssueEntry | None:
    """An issue, if it is told."""
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id(entry, kind, who))


async def comes(hass: HomeAssistant, entry: MockConfigEntry, kind: str, who: str = "") -> ir.IssueEntry:
    """An issue, as soon as it is told."""
    found = await wait_for(lambda: told(hass, entry, kind, who))
    assert found is not None
    return found


async def goes(hass: HomeAssistant, entry: MockConfigEntry, kind: str, who: str = "") -> None:
    """Wait until an issue is told no more."""
    await wait_for(lambda: told(hass, entry, kind, who) is None)


async def opened(hass: HomeAssistant, issue: ir.IssueEntry) -> Any:
    """The dialog that mends an issue."""
    return await hass.data["repairs"]["flow_manager"].async_init(DOMAIN, context={"issue_id": issue.issue_id})


async def answered(hass: HomeAssistant, result: Any, **fields: object) -> Any:
    """The dialog filled in, or an option of its menu taken (`next_step_id`)."""
    return await hass.data["repairs"]["flow_manager"].async_configure(result["flow_id"], fields)


async def sent_later(client: SignalCourierClient, recipient: str) -> str:
    """A message that waits on the service's disk; its id."""
    sent = await client.messages.send([recipient], text="Are you there?", terms=Terms(queued=True))
    assert sent.id is not None
    return sent.id


async def test_all_is_well_without_issues(hass: HomeAssistant, setup_integration: Setup) -> None:
    await setup_integration()
    await hass.async_block_till_done(wait_background_tasks=False)
    assert not [known for known in ir.async_get(hass).issues if known[0] == DOMAIN]


async def leaves(client: SignalCourierClient, message: str) -> None:
    """Waits until a message that was parked has been sent."""

    async def sent() -> bool:
        return (await client.messages.get(message)).state in ("sent", "delivered", "read")

    await wait_until(sent)


# -- captcha


async def test_a_captcha_lets_waiting_messages_go(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await setup_integration()
    message = await sent_later(client, LIMITED)
    issue = await comes(hass, entry, issues.CHALLENGE)
    assert issue.translation_placeholders == {"account": "Home", "count": "1"}
    result = await opened(hass, issue)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "captcha")
    assert "signalcaptchas.org/challenge" in result["description_placeholders"]["captcha_url"]
    result = await answered(hass, result, captcha="https://signalcaptchas.org")
    assert result["errors"] == {"captcha": "captcha_no_link"}
    result = await answered(hass, result, captcha=FAILING)
    assert result["errors"] == {"captcha": "captcha_rejected"}
    await courier.stop()
    result = await answered(hass, result, captcha=CAPTCHA)
    assert result["errors"] == {"base": "failed"}
    await courier.again()
    result = await answered(hass, result, captcha=CAPTCHA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await goes(hass, entry, issues.CHALLENGE)
    await leaves(client, message)


async def test_a_challenge_that_was_solved_elsewhere_is_told_no_more(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await setup_integration()
    await sent_later(client, LIMITED)
    issue = await comes(hass, entry, issues.CHALLENGE)
    result = await opened(hass, issue)
    (waiting,) = await client.messages.outbox(open_only=True)
    await client.accounts.solve_challenge(waiting.recipients[0].tokens[0], CAPTCHA)
    await goes(hass, entry, issues.CHALLENGE)
    result = await answered(hass, result, captcha=CAPTCHA)
    assert result["type"] is FlowResultType.CREATE_ENTRY


# -- safety numbers


@pytest.mark.parametrize(("choice", "level"), [("compared", "verified"), ("trusted", "trusted")])
async def test_a_changed_safety_number_is_shown_and_trusted(
    hass: HomeAssistant, setup_integration: Setup, client: SignalCourierClient, choice: str, level: str
) -> None:
    entry = await setup_integration()
    message = await sent_later(client, NEWKEY)
    issue = await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    assert issue.translation_placeholders == {"account": "Home", "name": "Newkey"}
    result = await opened(hass, issue)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["compared", "trusted", "refused"])
    shown = result["description_placeholders"]["safety_number"]
    (identity,) = await client.identities.of(NEWKEY)
    assert identity.safety_number is not None
    assert shown.split() == identity.safety_number.split()
    assert len(shown.splitlines()) == 3
    result = await answered(hass, result, next_step_id=choice)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (identity,) = await client.identities.of(NEWKEY)
    assert identity.trust == level
    await leaves(client, message)
    await goes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))


async def test_who_is_not_trusted_gets_nothing(hass: HomeAssistant, setup_integration: Setup, client: SignalCourierClient) -> None:
    entry = await setup_integration()
    message = await sent_later(client, NEWKEY)
    result = await opened(hass, await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY)))
    result = await answered(hass, result, next_step_id="refused")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (await client.messages.get(message)).state == "cancelled"
    (identity,) = await client.identities.of(NEWKEY)
    assert identity.trust == "untrusted"
    await goes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))


async def test_a_new_safety_number_is_told_though_as_many_messages_wait_as_before(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await setup_integration()
    message = await sent_later(client, NEWKEY)
    await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    soon = entry.runtime_data.coordinator._soon
    await wait_for(lambda: soon._timer_task is None)
    soon.cooldown = 3600  # as if the next status said the same as this one
    await courier.change("people", uuid_of(ECHO), "key", 2)
    await client.messages.cancel(message)
    await sent_later(client, ECHO)
    await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(ECHO))
    await goes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))


async def test_whoever_writes_with_a_new_safety_number_is_told_until_it_is_trusted(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await setup_integration()
    await courier.deliver("I have a new phone", sender=NEWKEY)
    issue = await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    await entry.runtime_data.coordinator.async_refresh()
    await client.identities.trust(NEWKEY)
    result = await opened(hass, issue)
    assert result["type"] is FlowResultType.CREATE_ENTRY, "there is nothing to decide any more"
    await goes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))


async def test_who_was_trusted_elsewhere_is_told_no_more(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await setup_integration()
    await courier.deliver("I have a new phone", sender=NEWKEY)
    await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    await client.identities.trust(NEWKEY)
    for _ in range(2):  # the second while the first is being looked into
        entry.runtime_data.coordinator.async_update_listeners()
    await goes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))


async def test_issues_stay_while_nobody_can_tell_whether_they_are_mended(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await setup_integration()
    await sent_later(client, NEWKEY)
    await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    await courier.stop()
    status = entry.runtime_data.coordinator
    status.async_update_listeners()
    status.last_update_success = True  # the status came just before the service went
    status.async_update_listeners()
    await wait_for(lambda: "could not be looked at" in caplog.text)
    assert told(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY)) is not None


@pytest.mark.parametrize("choice", [None, "trusted", "refused"])
async def test_a_service_that_goes_away_leaves_the_issue(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient, choice: str | None
) -> None:
    entry = await setup_integration()
    await sent_later(client, NEWKEY)
    issue = await comes(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY))
    if choice is None:
        await courier.stop()
        result = await opened(hass, issue)
    else:
        result = await opened(hass, issue)
        await courier.stop()
        result = await answered(hass, result, next_step_id=choice)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "failed")
    assert told(hass, entry, issues.SAFETY_NUMBER, uuid_of(NEWKEY)) is not None


# -- messages that wait


async def parked(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient, count: int = 1
) -> MockConfigEntry:
    """An entry, some of whose messages are limited without a challenge that would help."""
    entry = await setup_integration()
    await courier.limit(True)
    await sent_later(client, ECHO)
    await comes(hass, entry, issues.PARKED)
    return entry


async def test_messages_that_wait_can_be_taken_back(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await parked(hass, courier, setup_integration, client)
    result = await opened(hass, await comes(hass, entry, issues.PARKED))
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["retry", "cancel"])
    assert result["description_placeholders"]["messages"] == "- Echo Hill: rate_limit"
    result = await answered(hass, result, next_step_id="cancel")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await goes(hass, entry, issues.PARKED)
    assert await client.messages.outbox(open_only=True) == []


async def test_messages_that_wait_can_be_tried_again(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await parked(hass, courier, setup_integration, client)
    result = await opened(hass, await comes(hass, entry, issues.PARKED))
    await courier.limit(False)
    result = await answered(hass, result, next_step_id="retry")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await goes(hass, entry, issues.PARKED)


async def test_many_waiting_messages_are_listed_in_part(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await parked(hass, courier, setup_integration, client)
    for _ in range(10):
        await sent_later(client, ECHO)
    await wait_for(lambda: told(hass, entry, issues.PARKED).translation_placeholders["count"] == "11")  # type: ignore[index]  # it is told
    result = await opened(hass, await comes(hass, entry, issues.PARKED))
    lines = result["description_placeholders"]["messages"].splitlines()
    assert (len(lines), lines[-1]) == (11, "- … +1")


@pytest.mark.parametrize("choice", [None, "retry", "cancel"])
async def test_messages_wait_on_while_the_service_is_away(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient, choice: str | None
) -> None:
    entry = await parked(hass, courier, setup_integration, client)
    issue = await comes(hass, entry, issues.PARKED)
    if choice is None:
        await courier.stop()
        result = await opened(hass, issue)
    else:
        result = await opened(hass, issue)
        await courier.stop()
        result = await answered(hass, result, next_step_id=choice)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "failed")


async def test_messages_that_went_meanwhile_need_no_answer(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    entry = await parked(hass, courier, setup_integration, client)
    issue = await comes(hass, entry, issues.PARKED)
    for message in await client.messages.outbox(open_only=True):
        await client.messages.cancel(message.id)
    assert (await opened(hass, issue))["type"] is FlowResultType.CREATE_ENTRY


async def test_an_issue_without_a_dialog_of_its_own_is_only_confirmed(hass: HomeAssistant, setup_integration: Setup) -> None:
    await setup_integration()
    ir.async_create_issue(hass, DOMAIN, "other", is_fixable=True, severity=ir.IssueSeverity.WARNING, translation_key="parked")
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "other")
    assert issue is not None
    assert (await opened(hass, issue))["step_id"] == "confirm"


# -- the account


async def test_an_account_without_a_name_gets_one(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: SignalCourierClient
) -> None:
    await courier.change("people", uuid_of(HOME), "given_name", None)
    entry = await setup_integration()
    result = await opened(hass, await comes(hass, entry, issues.PROFILE_NAME))
    result = await answered(hass, result, given_name="  ")
    assert result["errors"] == {"given_name": "name_missing"}
    await courier.stop()
    result = await answered(hass, result, given_name="Our home")
    assert result["errors"] == {"base": "failed"}
    await courier.again()
    result = await answered(hass, result, given_name="Our home")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (await client.accounts.get()).name == "Our home"
    await goes(hass, entry, issues.PROFILE_NAME)


async def test_a_phone_that_has_removed_the_device_is_linked_again_from_the_repair(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup
) -> None:
    entry = await setup_integration()
    await courier.unlink()
    await entry.runtime_data.coordinator.async_refresh()
    issue = await comes(hass, entry, issues.UNLINKED)
    assert issue.severity is ir.IssueSeverity.ERROR
    result = await opened(hass, issue)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "goes_on")
    kind, flow_id = result["next_flow"]
    assert kind == "config_flow"
    following = await hass.config_entries.flow.async_configure(flow_id)
    assert following["step_id"] == "relink"
    following = await progressed(hass, await give(hass, following))
    assert following["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    await goes(hass, entry, issues.UNLINKED)
    assert entry.state is ConfigEntryState.LOADED


async def test_an_account_that_is_unlinked_from_the_start_is_told(
    hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry
) -> None:
    await courier.unlink()
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.SETUP_RETRY
    assert told(hass, config_entry, issues.UNLINKED) is not None
    await hass.config_entries.async_remove(config_entry.entry_id)
    assert told(hass, config_entry, issues.UNLINKED) is None


async def test_a_repair_of_an_entry_that_is_gone_is_done(
    hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup
) -> None:
    await setup_integration()
    issues.async_raise_unlinked(hass, config_entry)
    issue = told(hass, config_entry, issues.UNLINKED)
    assert issue is not None
    about = issue.data
    await hass.config_entries.async_remove(config_entry.entry_id)
    ir.async_create_issue(
        hass, DOMAIN, issue.issue_id, data=about, is_fixable=True, severity=ir.IssueSeverity.ERROR, translation_key=issues.UNLINKED
    )
    assert (await opened(hass, issue))["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("kind", [issues.CHALLENGE, issues.SAFETY_NUMBER, issues.PARKED, issues.PROFILE_NAME])
async def test_nothing_is_mended_while_the_account_is_not_connected(
    hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup, kind: str
) -> None:
    await setup_integration()
    await hass.config_entries.async_unload(config_entry.entry_id)
    name = issue_id(config_entry, kind)
    ir.async_create_issue(
        hass,
        DOMAIN,
        name,
        data={"kind": kind, "entry_id": config_entry.entry_id, "who": ""},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind,
    )
    issue = ir.async_get(hass).async_get_issue(DOMAIN, name)
    assert issue is not None
    result = await opened(hass, issue)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")


# -- versions


@pytest.mark.parametrize(
    ("kind", "minimum"), [(issues.SERVICE_TOO_OLD, "MINIMUM_VERSION"), (issues.SIGNAL_CLI_TOO_OLD, "MINIMUM_SIGNAL_CLI")]
)
async def test_a_version_that_is_too_old_is_told_until_it_is_not(
    hass: HomeAssistant, setup_integration: Setup, monkeypatch: pytest.MonkeyPatch, kind: str, minimum: str
) -> None:
    monkeypatch.setattr(issues, minimum, "99.0.0")
    entry = await setup_integration()
    issue = await comes(hass, entry, kind)
    assert issue.is_fixable is False
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["minimum"] == "99.0.0"
    monkeypatch.undo()
    entry.runtime_data.coordinator.async_update_listeners()
    await goes(hass, entry, kind)


def test_what_goes_out_by_itself_waits_for_nobody() -> None:
    queued = OutboxMessage(id="msg_1", recipients=(Recipient(recipient=ECHO, state="queued"),))
    assert parked_of([queued]) == issues.Parked((), (), (), ())
