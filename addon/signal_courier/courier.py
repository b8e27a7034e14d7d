"""Composition: builds the parts from the settings, starts them, stops them in order. The only place where everything meets."""

import asyncio
import gc
import logging
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from signal_courier.access.audit import AuditLog
from signal_courier.access.credentials import Credentials
from signal_courier.access.first_token import make_first_token
from signal_courier.access.tokens import Tokens
from signal_courier.engine.address import parse_address
from signal_courier.engine.base import Engine
from signal_courier.engine.commands import Commands
from signal_courier.engine.daemon import SignalCli
from signal_courier.engine.program import install
from signal_courier.engine.program.options import EngineOptions
from signal_courier.http import tables
from signal_courier.http.services import Services
from signal_courier.http.serving.announcing import Announcer
from signal_courier.http.serving.descriptors import quieted
from signal_courier.http.serving.server import HttpServer
from signal_courier.http.web import swagger
from signal_courier.messaging.account_states import AccountStates
from signal_courier.messaging.accounts import Accounts
from signal_courier.messaging.backups.backup import Places, finish_restore
from signal_courier.messaging.conversation_history import ConversationHistory
from signal_courier.messaging.conversations import Conversations
from signal_courier.messaging.figures import Figures
from signal_courier.messaging.files.fetching import Fetcher
from signal_courier.messaging.files.received import ReceivedFiles
from signal_courier.messaging.files.staging import Staging
from signal_courier.messaging.files.uploads import Uploads
from signal_courier.messaging.joining.device_links import DeviceLinks
from signal_courier.messaging.joining.link_sessions import LinkSessions
from signal_courier.messaging.joining.linking import Linking
from signal_courier.messaging.joining.registration import Registration
from signal_courier.messaging.joining.registrations import Registrations
from signal_courier.messaging.receiving.reception import Receiving, ReceivingOptions
from signal_courier.messaging.sending.content import KeptFiles
from signal_courier.messaging.sending.delivery import Delivery
from signal_courier.messaging.sending.outbox import Outbox, OutboxOptions, status_event
from signal_courier.messaging.sending.queue import QueueOptions
from signal_courier.messaging.trust import TrustPolicy
from signal_courier.messaging.webhooks.bodies import Bodies
from signal_courier.messaging.webhooks.endpoint import Means
from signal_courier.messaging.webhooks.posting import Poster
from signal_courier.messaging.webhooks.registry import Webhooks
from signal_courier.messaging.webhooks.waiting import WallClock
from signal_courier.settings import SettingError, Settings
from signal_courier.store.audit import AuditTable
from signal_courier.store.credentials import CredentialTable
from signal_courier.store.database import Database
from signal_courier.store.events import EventTable
from signal_courier.store.tokens import TokenTable
from signal_courier.store.votes import VoteTable
from signal_courier.store.webhooks import WebhookTable

_DRAIN = 1.5
"""Seconds that queued messages in flight have at the stop."""

_LOGGER = logging.getLogger(__name__)


class Courier:
    """The running service."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = _engine_of(settings)
        self.commands = Commands(self.engine)
        self.accounts = Accounts(self.commands, settings.default_account)
        self.linking = Linking(self.commands, self.accounts.forget)
        self.link_sessions = LinkSessions(self.linking)
        self.registration = Registration(self.commands, self.accounts.forget)
        self.trust = TrustPolicy(
            self.commands,
            config_dir=settings.signal_cli_config_dir,
            data_dir=settings.data_dir,
            default=settings.trust_new_identities,
        )
        self.staging = _staging_of(settings, self.commands)
        self.database = Database(settings.database)
        self.tokens = Tokens(TokenTable(self.database), settings.outside_token())
        self.credentials = Credentials(CredentialTable(self.database), self.tokens)
        self.device_links = DeviceLinks(self.link_sessions, self._linked)
        self.audit = AuditLog(AuditTable(self.database, settings.audit_max))
        self.receiving = Receiving(
            self.database,
            self.engine,
            ReceivingOptions(
                attachments_dir=settings.attachments_dir,
                uploads=self.staging.uploads,
                inbox_days=settings.inbox_days,
                inbox_max=settings.inbox_max,
                attachment_days=settings.attachment_days,
                webhook_url=settings.receive_webhook_url,
                schedule=settings.auto_receive_schedule if settings.on_demand else None,
                schedule_seconds=settings.auto_receive_timeout,
                schedule_read_receipts=settings.auto_receive_send_read_receipts,
            ),
        )
        self.outbox = Outbox(
            self.database,
            self.engine,
            Delivery(self.commands, self.trust),
            KeptFiles(settings.outbox_dir.absolute()),
            self.receiving.feed,
            OutboxOptions(
                days=settings.outbox_days,
                resend=settings.resend,
                queue=QueueOptions(per_minute=settings.pace, settle=settings.reconcile_seconds),
            ),
            on_status=lambda status: self.receiving.events.publish(status_event(status)),
            person=self.receiving.people.person,
        )
        self.figures = Figures(self.database, self.outbox)
        self.webhooks = Webhooks(
            Means(
                log=self.receiving.events,
                table=WebhookTable(self.database),
                bodies=Bodies(settings.attachments_dir, self.receiving.people),
                poster=Poster(),
                clock=WallClock(),
                may_receive=self.tokens.may_receive,
            ),
            EventTable(self.database),
        )
        self.services = Services(
            settings=settings,
            engine=self.engine,
            commands=self.commands,
            accounts=self.accounts,
            account_states=AccountStates(self.engine, self.commands, settings.signal_cli_config_dir),
            linking=self.linking,
            link_sessions=self.link_sessions,
            receiving=self.receiving,
            registration=self.registration,
            registrations=Registrations(self.registration),
            conversations=Conversations(self.commands),
            trust=self.trust,
            outbox=self.outbox,
            staging=self.staging,
            votes=VoteTable(self.database),
            tokens=self.tokens,
            credentials=self.credentials,
            device_links=self.device_links,
            figures=self.figures,
            history=ConversationHistory(self.database, self.receiving.people),
            audit=self.audit,
            webhooks=self.webhooks,
        )
        self.server = HttpServer(
            self.services,
            [*tables.TABLES, swagger.documentation(tables.TABLES), swagger.pages],
            self.tokens,
            self.audit,
        )
        self.announcer = Announcer(settings)
        self.first_token: str | None = None
        """The admin token that this start has made, to be told once."""

    async def _linked(self, owner: str, account: str) -> None:
        """An account was linked with a token of the gateway: it may use it, and its webhooks tell of it."""
        accounts = await self.credentials.grant(owner, account)
        if accounts is not None:
            await self.webhooks.follow(owner, accounts)

    async def start(self) -> None:
        """Start every part; HTTP is open before signal-cli is up. Raises what makes a start impossible."""
        await asyncio.to_thread(_finish_restore, self.settings)
        prepare_folders(self.settings)
        await self.database.open()
        await self.figures.start()
        await self.tokens.start()
        await self.credentials.start()
        self.first_token = await make_first_token(self.settings, self.tokens)
        await self.audit.start()
        await self.receiving.start()
        await self.outbox.start()
        await self.webhooks.start()
        # The engine first, if only by a moment: the first request must find it starting, not stopped.
        await self.receiving.inbox.recall()
        await asyncio.gather(self._start_engine(), self.server.start())
        self.announcer.start(self.figures.instance, self.server.port)

    async def _start_engine(self) -> None:
        inbox = self.receiving.inbox
        await self.engine.start(inbox.accept)
        inbox.forget()

    async def stop(self) -> None:
        """Stop within 5 s: first no new requests, then signal-cli, then the database."""
        self.database.hurry()
        await self.announcer.stop()
        self.receiving.release()
        self.outbox.waiting.release()
        await self.link_sessions.stop()
        await asyncio.gather(self.server.stop(), self.outbox.drain(_DRAIN))
        await self.linking.stop()
        await self.device_links.stop()
        await self.engine.stop()
        await self.outbox.stop()
        await self.webhooks.stop()
        await self.receiving.stop()
        await self.audit.stop()
        await self.tokens.stop()
        await self.database.close()


def _finish_restore(settings: Settings) -> None:
    """What `restore` or `import` had begun when it was interrupted is finished first. Raises `StoreError`."""
    if finish_restore(Places(data_dir=settings.data_dir, config_dir=settings.signal_cli_config_dir, database=settings.database)):
        _LOGGER.warning("A restore or an import that was interrupted is finished now")


def prepare_folders(settings: Settings) -> None:
    """Make our folders, private to this user, and empty the temporary one. Raises `SettingError` where they cannot be."""
    for folder in (settings.data_dir, settings.spool_dir, settings.uploads_dir, settings.outbox_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            usable = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise SettingError(f"COURIER_DATA_DIR: {folder} cannot be made ({error.strerror or error}); name another folder") from None
        if not usable:
            raise SettingError(f"COURIER_DATA_DIR: {folder} is not this user's to write in; give it to this user, or name another folder")
    for left in settings.spool_dir.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _staging_of(settings: Settings, commands: Commands) -> Staging:
    fetcher = Fetcher(limit=settings.body_limit_mib * 1024 * 1024, private=settings.attachment_urls_private)
    return Staging(
        settings.spool_dir.absolute(),
        Uploads(settings.uploads_dir.absolute()),
        ReceivedFiles(settings.attachments_dir.absolute(), commands, attached=settings.attached),
        fetcher if settings.attachment_urls else None,
        inline=settings.attached_elsewhere,
    )


def _engine_of(settings: Settings) -> Engine:
    if settings.engine == "simulator":
        from signal_courier.engine.simulator import Simulator  # noqa: PLC0415  # who runs the real one never loads it

        return Simulator(settings.data_dir / "simulator", settings.signal_cli_config_dir)
    scheduled = settings.on_demand and settings.auto_receive_schedule is not None
    return SignalCli(
        EngineOptions(
            config_dir=settings.signal_cli_config_dir,
            run_dir=settings.data_dir / "run",
            exe=None if settings.attached else _program(settings),
            address=parse_address(settings.signal_cli_socket) if settings.signal_cli_socket else None,
            respawns=settings.signal_cli_respawns,
            backoff=(0.1, 1.0) if settings.signal_cli_respawns else (0.5, 60.0),
            on_demand=settings.on_demand and not settings.attached,
            idle_seconds=settings.idle_minutes * 60,
            trust=settings.trust_new_identities,
            ignore_attachments=settings.ignore_attachments or (scheduled and settings.auto_receive_ignore_attachments),
            ignore_stories=settings.ignore_stories or (scheduled and settings.auto_receive_ignore_stories),
            ignore_avatars=settings.ignore_avatars or (scheduled and settings.auto_receive_ignore_avatars),
            ignore_stickers=settings.ignore_stickers or (scheduled and settings.auto_receive_ignore_stickers),
            java_opts=settings.java_opts,
            call_timeout=settings.command_timeout,
        )
    )


def _program(settings: Settings) -> Path:
    """The signal-cli to supervise. Raises `SettingError`."""
    found = install.find(install.folder_in(settings.data_dir), settings.signal_cli)
    if found is None:
        raise SettingError(
            "SIGNAL_CLI: there is no signal-cli on PATH, and none was installed; `signal-courier engine install` brings one, "
            "COURIER_ENGINE=simulator works without"
        )
    return found


async def serve(settings: Settings, on_ready: Callable[[Courier], None]) -> None:
    """Run until SIGTERM or SIGINT."""
    courier = Courier(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(quieted())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await courier.start()
        on_ready(courier)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        await stop.wait()
        _LOGGER.info("stopping")
    finally:
        await courier.stop()
