"""Names that several modules of the integration share."""

import logging
from typing import Final

DOMAIN: Final = "signal_courier"
NAME: Final = "Signal Courier"
LOGGER: Final = logging.getLogger(__package__)

CONF_ACCOUNT: Final = "account"
"""In `entry.data`: the account's number, `+…`. Beside it: `url`, `token`, `verify_ssl` (Home Assistant's own names)."""
CONF_INSTANCE: Final = "instance"
"""In `entry.data`: the service's own id, where it tells one."""

CONF_APP: Final = "app"
"""In `entry.data`: slug of the app that is the service, `None` where it is none."""

CONF_ALLOWED_SENDERS: Final = "allowed_senders"
"""In `entry.options`: UUIDs and numbers whose messages may trigger something, beside the conversations that are subentries; see
`coordinator.AllowList`."""
CONF_LATE_AFTER: Final = "late_after"
"""In `entry.options`: seconds after which what arrives is told as late."""
DEFAULT_LATE_AFTER: Final = 300
CONF_READ_RECEIPTS: Final = "read_receipts"
CONF_TYPING: Final = "typing"
CONF_DOWNLOAD_ATTACHMENTS: Final = "download_attachments"
CONF_NOTIFY_SERVICES: Final = "notify_services"
"""In `entry.options`: `notify` actions that were taken over, each with `name` and `recipients`; see `legacy`."""
CONF_RECIPIENTS: Final = "recipients"

SUBENTRY_CONVERSATION: Final = "conversation"
"""Type of the subentries; `unique_id` is the conversation's id."""
CONF_CONVERSATION_ID: Final = "conversation_id"
CONF_KIND: Final = "kind"
"""In a subentry's data: person, group or self. Beside it: `name`."""
CONF_ASSIST: Final = "assist"
"""In a subentry's data: how Assist answers there, a mapping with the next keys; without it, Assist does not. `allowed_senders` in it: in a
group, the only people whom it answers; empty = all whom the account allows."""
CONF_ASSIST_ENABLED: Final = "enabled"
CONF_ASSIST_AGENT: Final = "agent_id"
"""A conversation agent; without, the pipeline's."""
CONF_ASSIST_PIPELINE: Final = "pipeline"
"""For voice notes, and the language; without or `preferred`, the preferred one."""
CONF_ASSIST_CONFIRM: Final = "confirm_sensitive"
"""Whether locks, covers and alarm panels are only touched after a word of confirmation. Default: yes."""
CONF_ASSIST_VOICE: Final = "voice_answers"
"""Whether voice notes are answered by voice notes."""
