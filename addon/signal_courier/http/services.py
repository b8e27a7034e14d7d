"""What handlers may use: the parts of the house below HTTP, put together by `courier`."""

from dataclasses import dataclass

from signal_courier.access.audit import AuditLog
from signal_courier.access.credentials import Credentials
from signal_courier.access.tokens import Tokens
from signal_courier.engine.base import Engine
from signal_courier.engine.commands import Commands
from signal_courier.messaging.account_states import AccountStates
from signal_courier.messaging.accounts import Accounts
from signal_courier.messaging.conversation_history import ConversationHistory
from signal_courier.messaging.conversations import Conversations
from signal_courier.messaging.figures import Figures
from signal_courier.messaging.files.staging import Staging
from signal_courier.messaging.joining.device_links import DeviceLinks
from signal_courier.messaging.joining.link_sessions import LinkSessions
from signal_courier.messaging.joining.linking import Linking
from signal_courier.messaging.joining.registration import Registration
from signal_courier.messaging.joining.registrations import Registrations
from signal_courier.messaging.receiving.reception import Receiving
from signal_courier.messaging.sending.outbox import Outbox
from signal_courier.messaging.trust import TrustPolicy
from signal_courier.messaging.webhooks.registry import Webhooks
from signal_courier.settings import Settings
from signal_courier.store.votes import VoteTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One of each."""

    settings: Settings
    engine: Engine
    commands: Commands
    accounts: Accounts
    account_states: AccountStates
    linking: Linking
    link_sessions: LinkSessions
    receiving: Receiving
    registration: Registration
    registrations: Registrations
    conversations: Conversations
    trust: TrustPolicy
    outbox: Outbox
    staging: Staging
    votes: VoteTable
    tokens: Tokens
    credentials: Credentials
    device_links: DeviceLinks
    figures: Figures
    history: ConversationHistory
    audit: AuditLog
    webhooks: Webhooks
