"""The options of the app, once: name, schema in `config.yaml`, and the setting that each becomes. A test compares it with `config.yaml`.

All are optional. What is shown from the start has a value there; the others are folded in Home Assistant until somebody wants them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_courier.app import layout

type Value = str | int | bool | Sequence[str]
"""What Home Assistant keeps of an option."""


class OptionError(ValueError):
    """An option with a value that cannot be; the text names it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the app."""

    name: str
    schema: str
    """As in `config.yaml`; with `[]` around it, a list of such."""
    variable: str | None = None
    """The variable that it sets for the service; `None`: something that only this package does."""
    shown: str | None = None
    """The value in `config.yaml`, for what is shown from the start."""

    @property
    def many(self) -> bool:
        """Whether it is a list."""
        return self.schema.startswith("[")


OPTIONS: Final = (
    Option("mode", "list(json-rpc|json-rpc-native|normal|native)?", "MODE", shown="json-rpc"),
    Option("auth", "list(token|open)?", "COURIER_AUTH", shown="token"),
    Option("log_level", "list(debug|info|warn|error)?", "LOG_LEVEL", shown="info"),
    Option("default_account", r"match(^\+?[0-9]{3,15}$)?", "COURIER_ACCOUNT"),
    Option("dialect", "list(0.101|0.100|morph027)?", "COURIER_DIALECT"),
    Option("text_mode", "list(normal|styled)?", "DEFAULT_SIGNAL_TEXT_MODE"),
    Option("webhook_url", "url?", "RECEIVE_WEBHOOK_URL"),
    Option("allowed_hosts", "[str?]", "COURIER_ALLOWED_HOSTS"),
    Option("cors_origins", "[str?]", "COURIER_CORS_ORIGINS"),
    Option("inbox_days", "int(1,3650)?", "COURIER_INBOX_DAYS"),
    Option("inbox_max", "int(100,10000000)?", "COURIER_INBOX_MAX"),
    Option("outbox_days", "int(1,3650)?", "COURIER_OUTBOX_DAYS"),
    Option("attachment_days", "int(1,3650)?", "COURIER_ATTACHMENT_DAYS"),
    Option("messages_per_minute", "int(0,10000)?", "COURIER_PACE"),
    Option("body_limit_mib", "int(1,2048)?", "COURIER_BODY_LIMIT_MIB"),
    Option("attachment_urls", "bool?", "COURIER_ATTACHMENT_URLS"),
    Option("trust_new_identities", "list(on-first-use|always|never)?", "JSON_RPC_TRUST_NEW_IDENTITIES"),
    Option("ignore_attachments", "bool?", "JSON_RPC_IGNORE_ATTACHMENTS"),
    Option("ignore_stories", "bool?", "JSON_RPC_IGNORE_STORIES"),
    Option("ignore_avatars", "bool?", "JSON_RPC_IGNORE_AVATARS"),
    Option("ignore_stickers", "bool?", "JSON_RPC_IGNORE_STICKERS"),
    Option("auto_receive_schedule", "str?", "AUTO_RECEIVE_SCHEDULE"),
    Option("ssl", "bool?"),
    Option("certfile", "str?"),
    Option("keyfile", "str?"),
    Option("java_memory_mib", "int(64,4096)?"),
    Option("java_options", "str?", "JAVA_OPTS"),
    Option("engine", "list(signal-cli|simulator)?", "COURIER_ENGINE"),
    Option("discovery", "bool?"),
    Option("import_old_app", "bool?"),
)
"""In the order in which they are shown. `ssl`, `certfile` and `keyfile` are called as in Home Assistant's own apps."""

_BY_NAME: Final = {option.name: option for option in OPTIONS}
_CERTIFICATE: Final = "fullchain.pem"
_KEY: Final = "privkey.pem"


def read(path: Path = layout.OPTIONS) -> Mapping[str, Value]:
    """What was set in Home Assistant; nothing where there is no such file. Raises `OptionError`."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise OptionError(f"{path} must hold an object")
    return {name: value for name, value in found.items() if value is not None and name in _BY_NAME}


def variables(options: Mapping[str, Value]) -> dict[str, str]:
    """The variables for the service that options come to; an empty text counts as not set."""
    found = {
        option.variable: _text(option, options[option.name])
        for option in OPTIONS
        if option.variable is not None and options.get(option.name, "") not in ("", [])
    }
    if options.get("ssl"):
        found["COURIER_TLS_CERTIFICATE"] = str(layout.CERTIFICATES / str(options.get("certfile") or _CERTIFICATE))
        found["COURIER_TLS_KEY"] = str(layout.CERTIFICATES / str(options.get("keyfile") or _KEY))
    if memory := options.get("java_memory_mib"):
        found["JAVA_OPTS"] = f"-Xms16m -Xmx{memory}m {found.get('JAVA_OPTS', '')}".rstrip()
    return found


def _text(option: Option, value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return str(value)
    if option.many and isinstance(value, list):
        return ",".join(str(item) for item in value)
    raise OptionError(f"{option.name}: {value!r} cannot be")
