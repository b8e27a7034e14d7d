"""Every setting once: name, option, default, check and text. Nothing else reads the environment."""

import argparse
import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from signal_courier.model.dialects import Dialect

Mode = Literal["normal", "native", "json-rpc", "json-rpc-native"]
LogLevel = Literal["debug", "info", "warn", "error"]
TextMode = Literal["normal", "styled"]
TrustMode = Literal["on-first-use", "always", "never"]
EngineKind = Literal["signal-cli", "simulator"]
Auth = Literal["token", "open"]


class SettingError(ValueError):
    """A setting with a value that cannot be; the text names it and says why."""


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text.lower()

    return parse


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("true", "1", "yes", "on"):
        return True
    if lowered in ("false", "0", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError("must be a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _text(text: str) -> str:
    return text


def _host(text: str) -> str:
    if text == "localhost":
        return text
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
            raise ValueError("must be an address or a host name") from None
    return text.strip("[]")


def _account(text: str) -> str:
    number = text if text.startswith("+") else f"+{text}"
    if not re.fullmatch(r"\+\d{3,15}", number):
        raise ValueError("must be a phone number such as +4915100000001")
    return number


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https address")
    return text


def _socket(text: str) -> str:
    if re.fullmatch(r"unix:/.+|tcp:(\[[0-9A-Fa-f:]+\]|[^:\[\]]+):\d{1,5}", text):
        return text
    raise ValueError("must be unix:/path or tcp:host:port")


def _secret(text: str) -> str:
    if len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must have 16 characters or more, all of them ASCII, no spaces (make one with: openssl rand -hex 32)")
    return text


def _host_names(text: str) -> tuple[str, ...]:
    names = _words(text)
    for name in names:
        if name != "*" and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
            raise ValueError(f"must be host names without port, or *; {name!r} is none")
    return names


def _origins(text: str) -> tuple[str, ...]:
    origins = _words(text)
    for origin in origins:
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError(f"must be origins such as https://example.org, or *; {origin!r} is none")
    return origins


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must be an address") from None


def _cron(text: str) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415  # only who sets a schedule pays for it

    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"must be a cron expression with five fields ({error})") from None
    return text


@dataclass(frozen=True, slots=True)
class Declared:
    """What a setting is called outside, and how it is read."""

    variable: str
    parse: Callable[[str], Any]
    help: str
    aliases: tuple[str, ...] = ()
    group: str = "Service"
    shown_default: str | None = None
    secret: bool = False
    """Never on a command line, which others can read, and never in a text."""


def _setting(
    default: object,
    variable: str,
    parse: Callable[[str], Any],
    text: str,
    *,
    aliases: tuple[str, ...] = (),
    group: str = "Service",
    shown_default: str | None = None,
    secret: bool = False,
) -> Any:
    declared = Declared(variable, parse, text, aliases, group, shown_default, secret)
    if callable(default):
        return field(default_factory=cast("Callable[[], object]", default), metadata={"setting": declared}, repr=not secret)
    return field(default=default, metadata={"setting": declared}, repr=not secret)


_USER_VARIABLES = ("SIGNAL_CLI_UID", "SIGNAL_CLI_GID", "SIGNAL_CLI_CHOWN_ON_STARTUP")
_OWN = "COURIER_"
_OF_COMMANDS = frozenset({"COURIER_BACKUP_PASSPHRASE"})
"""What `signal-courier backup` and `restore` read."""
_ACCESS = "Access"
_UPSTREAM = "As in bbernhard/signal-cli-rest-api"
_MORPH = "PYTHON_SIGNAL_CLI_REST_API_"


def _default_data_dir() -> Path:
    return Path.home() / ".local/share/signal-courier"


def _default_config_dir() -> Path:
    return Path.home() / ".local/share/signal-cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The service's settings. Durations in seconds, sizes in bytes unless a name says otherwise."""

    host: str = _setting("127.0.0.1", "COURIER_HOST", _host, "address to listen on", aliases=(f"{_MORPH}HOST",))
    port: int = _setting(8080, "PORT", _whole(0, 65535), "port to listen on, 0 = any free one", aliases=(f"{_MORPH}PORT",))
    data_dir: Path = _setting(
        _default_data_dir,
        "COURIER_DATA_DIR",
        _path,
        "our database, uploads, temporary files",
        shown_default="~/.local/share/signal-courier",
    )
    dialect: Dialect = _setting(
        Dialect.V0_101, "COURIER_DIALECT", lambda text: Dialect(_choice(*Dialect)(text)), "answers of 0.101, 0.100 or morph027"
    )
    engine: EngineKind = _setting(
        "signal-cli", "COURIER_ENGINE", _choice("signal-cli", "simulator"), "signal-cli, or simulator to try things without a phone"
    )
    inbox_days: int = _setting(30, "COURIER_INBOX_DAYS", _whole(1, 3650), "days for which received messages are kept")
    inbox_max: int = _setting(100_000, "COURIER_INBOX_MAX", _whole(100, 10_000_000), "how many received messages are kept at most")
    outbox_days: int = _setting(30, "COURIER_OUTBOX_DAYS", _whole(1, 3650), "days for which sent messages and their states are kept")
    pace: int = _setting(60, "COURIER_PACE", _whole(0, 10_000), "queued messages a minute and account, 0 = no limit")
    resend: bool = _setting(
        False,
        "COURIER_RESEND",
        _flag,
        "send again what may have been sent when something died; false = report it as unknown",
    )
    reconcile_seconds: int = _setting(
        20, "COURIER_RECONCILE_SECONDS", _whole(1, 3600), "seconds for which a receipt may tell whether such a message was sent"
    )
    attachment_days: int = _setting(30, "COURIER_ATTACHMENT_DAYS", _whole(1, 3650), "days for which received attachments are kept")
    idle_minutes: int = _setting(
        2, "COURIER_IDLE_MINUTES", _whole(1, 1440), "minutes without a call after which MODE=normal stops signal-cli"
    )
    body_limit_mib: int = _setting(150, "COURIER_BODY_LIMIT_MIB", _whole(1, 2048), "largest request body, in MiB")
    attachment_urls: bool = _setting(
        False, "COURIER_ATTACHMENT_URLS", _flag, "take https addresses as attachments and fetch them (public addresses only)"
    )
    attachment_urls_private: bool = _setting(
        False, "COURIER_ATTACHMENT_URLS_PRIVATE", _flag, "fetch attachments from private addresses too (http allowed there)"
    )

    announce: bool = _setting(
        True, "COURIER_ANNOUNCE", _flag, "tell the local network that the service is here (zeroconf), when it serves other machines"
    )

    auth: Auth = _setting(
        "token", "COURIER_AUTH", _choice("token", "open"),
        "token = other machines need a token; open = everybody on the network may use the drop-in routes", group=_ACCESS,
    )  # fmt: skip
    metrics: Auth = _setting(
        "token", "COURIER_METRICS", _choice("token", "open"),
        "token = Prometheus needs a token with the scope admin; open = everybody on the network may read /metrics", group=_ACCESS,
    )  # fmt: skip
    token: str | None = _setting(
        None, "COURIER_TOKEN", _secret, "a token that may do everything; 16 characters or more", group=_ACCESS, secret=True
    )
    token_file: Path | None = _setting(None, "COURIER_TOKEN_FILE", _path, "a file that holds such a token", group=_ACCESS)
    admin_token_file: Path | None = _setting(
        None, "COURIER_ADMIN_TOKEN_FILE", _path, "where the admin token is kept that the first start makes", group=_ACCESS
    )
    trust_loopback: bool = _setting(
        True, "COURIER_TRUST_LOOPBACK", _flag, "programs on this machine need no token (not what a proxy hands over)", group=_ACCESS
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "COURIER_ALLOWED_HOSTS", _host_names, "public names of this service, comma-separated; * = any", group=_ACCESS
    )
    cors_origins: tuple[str, ...] = _setting(
        (), "COURIER_CORS_ORIGINS", _origins, "web pages of these origins may use the service; * = all", group=_ACCESS
    )
    tls_certificate: Path | None = _setting(
        None, "COURIER_TLS_CERTIFICATE", _path, "serve https with this certificate (PEM, with its chain)", group=_ACCESS
    )
    tls_key: Path | None = _setting(
        None, "COURIER_TLS_KEY", _path, "the certificate's key (PEM)", group=_ACCESS, shown_default="in the certificate's file"
    )
    hsts: int = _setting(
        0, "COURIER_HSTS", _whole(0, 63_072_000), "seconds for which browsers are told to insist on https; 0 = not told", group=_ACCESS
    )
    ingress_port: int | None = _setting(
        None, "COURIER_INGRESS_PORT", _whole(0, 65535), "port for Home Assistant's ingress, which needs no token", group=_ACCESS
    )
    ingress_peer: str = _setting("172.30.32.2", "COURIER_INGRESS_PEER", _address, "the only address that is served there", group=_ACCESS)
    audit_max: int = _setting(
        100_000, "COURIER_AUDIT_MAX", _whole(100, 10_000_000), "how many lines of the audit log are kept", group=_ACCESS
    )
    max_connections: int = _setting(
        1000, "COURIER_MAX_CONNECTIONS", _whole(10, 100_000), "connections that are open at once, at most", group=_ACCESS
    )

    signal_cli: Path | None = _setting(
        None, "SIGNAL_CLI", _path, "the signal-cli to supervise", group="signal-cli", shown_default="found on PATH or installed"
    )
    signal_cli_socket: str | None = _setting(
        None, "SIGNAL_CLI_SOCKET", _socket, "attach to a running daemon instead: unix:/path or tcp:host:port", group="signal-cli"
    )
    signal_cli_respawns: bool = _setting(
        False, "SIGNAL_CLI_RESPAWNS", _flag, "somebody starts that daemon anew when it ends, so that it may be ended when it hangs",
        group="signal-cli",
    )  # fmt: skip
    signal_cli_config_dir: Path = _setting(
        _default_config_dir, "SIGNAL_CLI_CONFIG_DIR", _path, "signal-cli's data folder", group="signal-cli",
        shown_default="~/.local/share/signal-cli; with the simulator a folder among our data",
    )  # fmt: skip
    java_opts: str = _setting("", "JAVA_OPTS", _text, "options for signal-cli's Java", group="signal-cli")

    mode: Mode = _setting(
        "normal", "MODE", _choice("normal", "native", "json-rpc", "json-rpc-native"),
        "normal, native: signal-cli starts when needed; json-rpc, json-rpc-native: always on", group=_UPSTREAM,
    )  # fmt: skip
    log_level: LogLevel = _setting("info", "LOG_LEVEL", _choice("debug", "info", "warn", "error"), "how much is logged", group=_UPSTREAM)
    build_version: str | None = _setting(
        None, "BUILD_VERSION", _text, "version that /v1/about tells", group=_UPSTREAM, shown_default="of the dialect"
    )
    command_timeout: int = _setting(
        120, "SIGNAL_CLI_CMD_TIMEOUT", _whole(1, 3600), "longest wait for signal-cli, in seconds", group=_UPSTREAM
    )
    default_text_mode: TextMode = _setting(
        "normal", "DEFAULT_SIGNAL_TEXT_MODE", _choice("normal", "styled"), "text mode of messages that name none", group=_UPSTREAM
    )
    default_account: str | None = _setting(
        None,
        "COURIER_ACCOUNT",
        _account,
        "sender of messages that name none",
        aliases=(f"{_MORPH}ACCOUNT",),
        shown_default="the only account",
    )
    receive_webhook_url: str | None = _setting(
        None, "RECEIVE_WEBHOOK_URL", _web_address, "every received message is posted there", group=_UPSTREAM
    )
    auto_receive_schedule: str | None = _setting(
        None, "AUTO_RECEIVE_SCHEDULE", _cron, "when to fetch messages while signal-cli is not always on (cron)", group=_UPSTREAM
    )
    auto_receive_timeout: int = _setting(
        10, "AUTO_RECEIVE_SCHEDULE_RECEIVE_TIMEOUT", _whole(1, 3600), "seconds that such a fetch lasts", group=_UPSTREAM
    )
    auto_receive_ignore_attachments: bool = _setting(
        False, "AUTO_RECEIVE_SCHEDULE_IGNORE_ATTACHMENTS", _flag, "do not download attachments", group=_UPSTREAM
    )
    auto_receive_ignore_stories: bool = _setting(False, "AUTO_RECEIVE_SCHEDULE_IGNORE_STORIES", _flag, "leave stories out", group=_UPSTREAM)
    auto_receive_ignore_avatars: bool = _setting(
        False, "AUTO_RECEIVE_SCHEDULE_IGNORE_AVATARS", _flag, "do not download avatars", group=_UPSTREAM
    )
    auto_receive_ignore_stickers: bool = _setting(
        False, "AUTO_RECEIVE_SCHEDULE_IGNORE_STICKERS", _flag, "do not download stickers", group=_UPSTREAM
    )
    auto_receive_send_read_receipts: bool = _setting(
        False, "AUTO_RECEIVE_SCHEDULE_SEND_READ_RECEIPTS", _flag, "mark what is fetched as read", group=_UPSTREAM
    )
    ignore_attachments: bool = _setting(False, "JSON_RPC_IGNORE_ATTACHMENTS", _flag, "do not download attachments", group=_UPSTREAM)
    ignore_stories: bool = _setting(False, "JSON_RPC_IGNORE_STORIES", _flag, "do not receive stories", group=_UPSTREAM)
    ignore_avatars: bool = _setting(False, "JSON_RPC_IGNORE_AVATARS", _flag, "do not download avatars", group=_UPSTREAM)
    ignore_stickers: bool = _setting(False, "JSON_RPC_IGNORE_STICKERS", _flag, "do not download stickers", group=_UPSTREAM)
    trust_new_identities: TrustMode = _setting(
        "on-first-use", "JSON_RPC_TRUST_NEW_IDENTITIES", _choice("on-first-use", "always", "never"),
        "whether a new safety number is trusted: on-first-use, always, never", group=_UPSTREAM,
    )  # fmt: skip
    swagger_host: str | None = _setting(
        None, "SWAGGER_HOST", _text, "host:port that the API documentation names", aliases=("SWAGGER_IP", "HOST_IP"), group=_UPSTREAM
    )
    swagger_https: bool = _setting(
        False, "SWAGGER_USE_HTTPS_AS_PREFERRED_SCHEME", _flag, "the API documentation names https first", group=_UPSTREAM
    )

    ready_fd: int | None = _setting(
        None, "COURIER_READY_FD", _whole(3, 1023), "file descriptor that gets a line when requests are answered (as s6 wants it)"
    )

    @property
    def on_demand(self) -> bool:
        """Whether signal-cli is started by the first call and stopped when idle."""
        return self.mode in ("normal", "native")

    @property
    def attached(self) -> bool:
        """Whether somebody else runs signal-cli."""
        return self.signal_cli_socket is not None

    @property
    def attached_elsewhere(self) -> bool:
        """Whether signal-cli runs on another machine, so that it cannot read our files."""
        kind, _, where = (self.signal_cli_socket or "").partition(":")
        host = where.rpartition(":")[0].strip("[]")
        return kind == "tcp" and host not in ("localhost", "::1") and not host.startswith("127.")

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines can connect."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def outside_token(self) -> str | None:
        """The token that the settings bring. Raises `SettingError` where its file cannot be read, or holds none."""
        if self.token is not None or self.token_file is None:
            return self.token
        try:
            return _secret(self.token_file.read_text().strip())
        except OSError as error:
            raise SettingError(f"COURIER_TOKEN_FILE: {self.token_file} cannot be read ({error.strerror or error})") from None
        except ValueError as error:
            raise SettingError(f"COURIER_TOKEN_FILE: what {self.token_file} holds {error}") from None

    @property
    def database(self) -> Path:
        """Where the database lies."""
        return self.data_dir / "courier.db"

    @property
    def spool_dir(self) -> Path:
        """Where uploads lie while a request is answered; emptied at start."""
        return self.data_dir / "spool"

    @property
    def uploads_dir(self) -> Path:
        """Where attachments lie that were uploaded to be sent later."""
        return self.data_dir / "uploads"

    @property
    def outbox_dir(self) -> Path:
        """Where the attachments of messages lie that wait to be sent."""
        return self.data_dir / "outbox"

    @property
    def attachments_dir(self) -> Path:
        """Where signal-cli puts received attachments."""
        return self.signal_cli_config_dir / "attachments"


def declarations() -> list[tuple[Field[Any], Declared]]:
    """Every setting with its declaration, in order."""
    return [(item, item.metadata["setting"]) for item in fields(Settings)]


def option_of(name: str) -> str:
    """The command line's spelling of a setting."""
    return f"--{name.replace('_', '-')}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser one option a setting, grouped, each with its variable and default."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for item, declared in declarations():
        if declared.secret:
            parser.epilog = f"{declared.variable}, as a variable only: {declared.help}."
            continue
        group = groups.get(declared.group) or groups.setdefault(declared.group, parser.add_argument_group(declared.group))
        default = default_of(item)
        also = f"; also {', '.join(declared.aliases)}" if declared.aliases else ""
        group.add_argument(
            option_of(item.name),
            dest=item.name,
            metavar=declared.variable,
            nargs="?" if declared.parse is _flag else None,
            const="true" if declared.parse is _flag else None,
            help=f"{declared.help} (default: {default}{also})".replace("%", "%%"),
        )


def default_of(item: Field[Any]) -> str:
    """What a setting is unless set, for people."""
    declared: Declared = item.metadata["setting"]
    if declared.shown_default is not None:
        return declared.shown_default
    if item.default is MISSING or item.default is None or item.default in ("", ()):
        return "none"
    if isinstance(item.default, bool):
        return str(item.default).lower()
    return str(item.default)


def load(options: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> tuple[Settings, list[str]]:
    """Settings from options and environment (an option wins), and warnings to log. Raises `SettingError`."""
    values: dict[str, Any] = {}
    for item, declared in declarations():
        text, source = options.get(item.name), option_of(item.name)
        if text is None:
            for variable in (declared.variable, *declared.aliases):
                if environment.get(variable, "") != "":
                    text, source = environment[variable], variable
                    break
        if text is None:
            continue
        try:
            values[item.name] = declared.parse(text)
        except ValueError as error:
            raise SettingError(f"{source}: {error}" + ("" if declared.secret else f" (it is {text!r})")) from None
    _apply_morph027_socket(values, environment)
    if values.get("engine") == "simulator":  # what is made believe is kept from a person's own keys and files
        values.setdefault("signal_cli_config_dir", values.get("data_dir", _default_data_dir()) / "signal-cli")
    settings = Settings(**values)
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise SettingError("COURIER_TLS_KEY: needs COURIER_TLS_CERTIFICATE")
    return settings, _warnings(settings, environment)


def _apply_morph027_socket(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    host, port = environment.get(f"{_MORPH}JSONRPC_HOST", ""), environment.get(f"{_MORPH}JSONRPC_PORT", "")
    if "signal_cli_socket" in values or not (host or port):
        return
    text = host if host.startswith("unix:/") else f"unix:{host}" if host.startswith("/") else f"tcp:{host or '127.0.0.1'}:{port or 7583}"
    try:
        values["signal_cli_socket"] = _socket(text)
    except ValueError as error:
        raise SettingError(f"{_MORPH}JSONRPC_HOST, {_MORPH}JSONRPC_PORT: {error} (they make {text!r})") from None


def _warnings(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """What upstream refuses or needs and this service does not."""
    found = []
    if environment.get("USE_NATIVE"):
        found.append("USE_NATIVE is not needed any more and is ignored: MODE decides")
    if not settings.on_demand and settings.auto_receive_schedule:
        found.append("AUTO_RECEIVE_SCHEDULE has nothing to do: with this MODE messages are received all the time")
    if environment.get("ENABLE_PLUGINS", "").lower() == "true":
        found.append("ENABLE_PLUGINS is ignored: Lua plugins are not supported")
    found += [f"{variable} is ignored: the service does not change its user" for variable in _USER_VARIABLES if environment.get(variable)]
    found += _misspelt(environment)
    if settings.on_demand and settings.signal_cli is not None and not os.access(settings.signal_cli, os.X_OK):
        found.append(f"SIGNAL_CLI: {settings.signal_cli} is not there, or no program; nothing can be sent or received")
    if settings.allowed_hosts and settings.trust_loopback:
        found.append("COURIER_ALLOWED_HOSTS: if a proxy on this machine serves that name, set COURIER_TRUST_LOOPBACK=false, too")
    if settings.auth == "open" and settings.beyond_loopback:
        found.append("COURIER_AUTH=open: everybody on the network can read and send messages; `signal-courier token create` is safer")
    return found


def _misspelt(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are none."""
    known = {*usage_names(), *_OF_COMMANDS}
    found = []
    for variable in sorted(environment):
        if variable.startswith(_OWN) and variable not in known:
            from difflib import get_close_matches  # noqa: PLC0415  # only who has misspelt something pays for it

            meant = get_close_matches(variable, sorted(known), n=1, cutoff=0.8)
            found.append(f"{variable} is no setting and is ignored" + (f"; is {meant[0]} meant?" if meant else ""))
    return found


def options_from(arguments: argparse.Namespace) -> dict[str, str | None]:
    """The options that a parsed command line holds."""
    return {item.name: getattr(arguments, item.name, None) for item, _ in declarations()}


def usage_names() -> Sequence[str]:
    """Every variable that is understood, aliases included."""
    return [name for _, declared in declarations() for name in (declared.variable, *declared.aliases)]
