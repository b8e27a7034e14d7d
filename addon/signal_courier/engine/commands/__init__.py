"""Signal-cli's commands: one typed method each, named as the command is, in snake_case.

Parameters are signal-cli's too (`targetTimestamp` → `target_timestamp`); what is not given is not sent. Lists of recipients
(`recipient`, `group_id`, `username`) take numbers, ACI uuids, `PNI:…`; raw base64 group ids; usernames. Every method raises the
`EngineError` that the answer means; what the running signal-cli is too old for is refused with `Unsupported`.
"""

from signal_courier.engine.commands.accounts import AccountCommands
from signal_courier.engine.commands.calls import CallCommands
from signal_courier.engine.commands.devices import DeviceCommands
from signal_courier.engine.commands.files import FileCommands
from signal_courier.engine.commands.groups import GroupCommands
from signal_courier.engine.commands.messages import MessageCommands
from signal_courier.engine.commands.people import PeopleCommands
from signal_courier.engine.commands.polls import PollCommands
from signal_courier.engine.commands.receiving import ReceivingCommands


class Commands(
    MessageCommands,
    PollCommands,
    ReceivingCommands,
    GroupCommands,
    PeopleCommands,
    FileCommands,
    AccountCommands,
    DeviceCommands,
    CallCommands,
):
    """What can be asked of signal-cli. `account` is always the number (E.164) of the account that acts."""
