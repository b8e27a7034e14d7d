"""What this start of the container is to be, from the container's variables, the app's options and the volumes that are there.

Every program in the container works it out for itself; it changes nothing, and gives the same as long as the container lives.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_courier import settings
from signal_courier.app import layout, options

_NOT_FOR_THE_SERVICE: Final = (
    "SIGNAL_CLI_UID", "SIGNAL_CLI_GID", "SIGNAL_CLI_CHOWN_ON_STARTUP", "SUPERVISOR_TOKEN", "HASSIO_TOKEN", "BUILD_ARCH",
)  # fmt: skip
"""Done here, or nobody else's business."""

_PASSING: Final = ("dev", "etc", "proc", "run", "sys", "tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One start."""

    environment: Mapping[str, str]
    """For the service."""
    settings: settings.Settings
    """What the service makes of it."""
    options: Mapping[str, options.Value]
    """Of the app."""
    supervisor_token: str | None
    """With which the Supervisor is asked; `None` outside Home Assistant."""
    user: tuple[int, int] | None
    """User and group that everything runs as; `None` where the container was started as somebody who can be nobody else."""
    own: bool
    """Whether folders are to be given to that user."""
    runs_engine: bool
    """Whether signal-cli is a service of the container; else the service starts it when needed, or it runs elsewhere."""
    lasting: bool
    """Whether our data and signal-cli's outlive the container."""

    @property
    def announces(self) -> bool:
        """Whether Home Assistant is told of the service."""
        return self.supervisor_token is not None and self.options.get("discovery") is not False


def make(environment: Mapping[str, str] = os.environ, volumes: frozenset[Path] | None = None) -> Plan:
    """Work it out; `volumes` are those that are mounted. Raises `OptionError` and `SettingError`."""
    supervised = bool(environment.get("SUPERVISOR_TOKEN"))
    chosen = options.read() if supervised else {}
    given = {name: value for name, value in environment.items() if value and name not in _NOT_FOR_THE_SERVICE}
    given |= options.variables(chosen)
    if volumes is None:
        volumes = _volumes()
    data_dir, config_dir = _folders(given, volumes, supervised=supervised)
    complete = {
        "COURIER_HOST": layout.ADDRESSES,
        "MODE": "json-rpc",
        **given,
        "COURIER_DATA_DIR": str(data_dir),
        "SIGNAL_CLI_CONFIG_DIR": str(config_dir),
        "COURIER_READY_FD": "3",
        "HOME": str(layout.RUN),
    }
    if supervised:
        complete |= {"PORT": str(layout.PORT), "COURIER_INGRESS_PORT": str(layout.INGRESS_PORT)}
    loaded, _ = settings.load({}, complete)
    if loaded.engine == "simulator" and "SIGNAL_CLI_CONFIG_DIR" not in given:  # real keys and files are not to be played with
        config_dir = data_dir / layout.SIGNAL_CLI_DATA.name
        complete["SIGNAL_CLI_CONFIG_DIR"] = str(config_dir)
    runs_engine = loaded.engine == "signal-cli" and not loaded.attached and not loaded.on_demand
    if runs_engine:
        complete |= {"SIGNAL_CLI_SOCKET": f"unix:{layout.SOCKET}", "SIGNAL_CLI_RESPAWNS": "true"}
    elif loaded.engine == "signal-cli" and not loaded.attached:
        complete |= {"SIGNAL_CLI": str(engine_program(loaded)), **engine_environment(complete)}
    loaded, _ = settings.load({}, complete)
    return Plan(
        environment=complete,
        settings=loaded,
        options=chosen,
        supervisor_token=environment.get("SUPERVISOR_TOKEN") or None,
        user=_user(environment),
        own=environment.get("SIGNAL_CLI_CHOWN_ON_STARTUP", "").lower() not in ("false", "0", "no"),
        runs_engine=runs_engine,
        lasting=supervised or (lasts(data_dir, volumes) and lasts(config_dir, volumes)),
    )


def engine_program(chosen: settings.Settings) -> Path:
    """The program to start as signal-cli: the one chosen, the native one where it is there and asked for, else the one with Java."""
    if chosen.signal_cli is not None:
        return chosen.signal_cli
    native = chosen.mode in ("native", "json-rpc-native") and os.access(layout.ENGINE_NATIVE, os.X_OK)
    return layout.ENGINE_NATIVE if native else layout.ENGINE / "bin" / "signal-cli"


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What signal-cli's start script has to know of the image."""
    java = {"JAVA_HOME": str(layout.JAVA.parent.parent)} if layout.JAVA.exists() else {}
    return {"SIGNAL_CLI_OPTS": " ".join((*library_options(), environment.get("SIGNAL_CLI_OPTS", ""))).rstrip(), **java}


def library_options() -> list[str]:
    """Where Java finds the native libraries: beside the jars, instead of unpacking them from there at each start."""
    folder = layout.ENGINE / "native"
    sqlite = folder / "libsqlitejdbc.so"
    own = [f"-Dorg.sqlite.lib.path={folder}", f"-Dorg.sqlite.lib.name={sqlite.name}"] if sqlite.exists() else []
    return [f"-Djava.library.path={folder}", *own]


def lasts(path: Path, volumes: frozenset[Path]) -> bool:
    """Whether a path is on a volume."""
    return not volumes.isdisjoint((path, *path.parents))


def _folders(given: Mapping[str, str], volumes: frozenset[Path], *, supervised: bool) -> tuple[Path, Path]:
    """Where our data and signal-cli's are."""
    config_dir = layout.UPSTREAM_DATA
    if "SIGNAL_CLI_CONFIG_DIR" in given:
        config_dir = Path(given["SIGNAL_CLI_CONFIG_DIR"])
    elif supervised or (not lasts(config_dir, volumes) and lasts(layout.SIGNAL_CLI_DATA, volumes)):
        config_dir = layout.SIGNAL_CLI_DATA
    data_dir = layout.COURIER_DATA
    if "COURIER_DATA_DIR" in given:
        data_dir = Path(given["COURIER_DATA_DIR"])
    elif not supervised and not lasts(data_dir, volumes) and lasts(config_dir, volumes):
        data_dir = config_dir / layout.WITHIN_UPSTREAM
    return data_dir, config_dir


def _volumes() -> frozenset[Path]:
    """Where something is mounted that may last: neither the root nor what is only there while it runs."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    places = (line.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape") for line in lines)
    return frozenset(path for path in map(Path, places) if path.parts[1:2] and path.parts[1] not in _PASSING)


def _user(environment: Mapping[str, str]) -> tuple[int, int] | None:
    if os.getuid() != 0:
        return None
    found = []
    for variable in ("SIGNAL_CLI_UID", "SIGNAL_CLI_GID"):
        text = environment.get(variable) or str(layout.USER)
        if not text.isdecimal() or int(text) >= 2**32 - 1:
            raise settings.SettingError(f"{variable}: must be a number (it is {text!r})")
        found.append(int(text))
    return found[0], found[1]
