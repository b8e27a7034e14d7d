"""The app's description as the Supervisor reads it: the rules for `config.yaml`, options and translations, in our words.

After the Supervisor's validation of August 2026. It drops keys that it does not know without a word; here they are an error.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
APP: Final = ROOT / "addon"

ARCHITECTURES: Final = {"amd64", "aarch64"}
MAPS: Final = {"data", "ssl", "local_apps", "backup", "share", "media", "homeassistant_config", "all_app_configs", "app_config"}
SUFFIXES: Final = {".yaml", ".yml", ".json"}
INGRESS_DEFAULT_PORT: Final = 8099
DANGEROUS: Final = {
    "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO",
}  # fmt: skip
_RANGE: Final = r"(\(-?[\d.]*,-?[\d.]*\))?"
ELEMENT: Final = re.compile(
    rf"(bool|email|url|port|device(\(subsystem=[a-z]+\))?|str{_RANGE}|password{_RANGE}|int{_RANGE}|float{_RANGE}|match\(.*\)|list\(.+\))\??"
)

type Rule = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(text, value))


def one_of(*allowed: str) -> Rule:
    return lambda value: value in allowed


def port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def ports(value: Any) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(r"\d+(/(tcp|udp))?", name) and (number is None or port(number)) for name, number in value.items()
    )


def volume(value: Any) -> bool:
    match = re.fullmatch(r"(\w+)(:(ro|rw))?", value) if text(value) else None
    return match is not None and match[1] in MAPS


def element(value: Any) -> bool:
    """A type, a list of one, or a group of them."""
    if isinstance(value, list):
        return len(value) == 1 and not isinstance(value[0], list) and element(value[0])
    if isinstance(value, dict):
        return all(map(element, value.values()))
    return text(value) and ELEMENT.fullmatch(value) is not None


REQUIRED: Final[Mapping[str, Rule]] = {
    "name": text,
    "version": lambda value: text(value) and re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", value) is not None,
    "slug": lambda value: text(value) and re.fullmatch(r"[-_.A-Za-z0-9]+", value) is not None,
    "description": text,
    "arch": lambda value: bool(value) and set(value) <= ARCHITECTURES,
}
OPTIONAL: Final[Mapping[str, Rule]] = {
    "url": lambda value: text(value) and value.startswith("https://"),
    "image": lambda value: text(value) and re.fullmatch(r"[a-z0-9.\-:]+(/[a-z0-9._\-]+)+", value) is not None,
    "startup": one_of("initialize", "system", "services", "application", "once"),
    "boot": one_of("auto", "manual", "manual_only"),
    "init": flag,
    "stage": one_of("stable", "experimental", "deprecated"),
    "homeassistant": text,
    "timeout": lambda value: isinstance(value, int) and 10 <= value <= 300,
    "ingress": flag,
    "ingress_port": lambda value: value == 0 or port(value),
    "ingress_entry": text,
    "ingress_stream": flag,
    "panel_icon": lambda value: text(value) and value.startswith("mdi:"),
    "panel_title": text,
    "panel_admin": flag,
    "ports": ports,
    "ports_description": lambda value: isinstance(value, dict) and texts(list(value.values())),
    "discovery": texts,
    "map": lambda value: isinstance(value, list) and all(map(volume, value)),
    "backup": one_of("hot", "cold"),
    "backup_exclude": texts,
    "breaking_versions": texts,
    "tmpfs": flag,
    "environment": lambda value: isinstance(value, dict) and texts(list(value.values())),
    "privileged": texts,
    "apparmor": flag,
    "hassio_role": one_of("default", "homeassistant", "backup", "manager", "admin"),
    **dict.fromkeys(
        (
            "hassio_api",
            "homeassistant_api",
            "auth_api",
            "docker_api",
            "full_access",
            "host_network",
            "host_pid",
            "host_uts",
            "kernel_modules",
        ),
        flag,
    ),
    "options": lambda value: isinstance(value, dict),
    "schema": lambda value: isinstance(value, dict) and element(value),
}
DEFAULTS: Final[Mapping[str, object]] = {
    "startup": "application", "boot": "auto", "init": True, "stage": "stable", "ingress": False, "ingress_port": INGRESS_DEFAULT_PORT,
    "ingress_stream": False, "panel_icon": "mdi:puzzle", "panel_admin": True, "backup": "hot", "timeout": 10, "apparmor": True,
    "hassio_role": "default", "tmpfs": False,
}  # fmt: skip


def load(path: Path = APP / "config.yaml") -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def faults(config: Mapping[str, Any]) -> list[str]:
    """What the Supervisor, or the community's linter, would find wrong."""
    rules = {**REQUIRED, **OPTIONAL}
    found = [f"{name} is missing" for name in REQUIRED if name not in config]
    found += [f"{name} is unknown" for name in config if name not in rules]
    found += [f"{name} cannot be {value!r}" for name, value in config.items() if name in rules and not rules[name](value)]
    found += [f"{name} says what holds anyway" for name, value in config.items() if name in DEFAULTS and DEFAULTS[name] == value]
    if config.get("ingress") and "webui" in config:
        found.append("webui makes no sense with ingress")
    return found


def rating(config: Mapping[str, Any], *, own_profile: bool) -> int:
    """How safe the app is, 1 to 8, as the store shows it."""
    points = 5
    points += -1 if config.get("apparmor") is False else own_profile
    points += 2 if config.get("ingress") else bool(config.get("auth_api"))
    points -= bool(DANGEROUS & set(config.get("privileged", ())) or config.get("kernel_modules"))
    points -= {"manager": 1, "admin": 2}.get(config.get("hassio_role", "default"), 0)
    points -= bool(config.get("host_network")) + 2 * bool(config.get("host_pid"))
    points -= bool(config.get("host_uts") and "SYS_ADMIN" in config.get("privileged", ()))
    if config.get("docker_api") or config.get("full_access"):
        points = 1
    return max(1, min(8, points))
