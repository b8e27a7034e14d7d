"""Where things are in the image, and what they are called there. The Dockerfile puts them there; a test compares the two."""

from pathlib import Path
from typing import Final

PORT: Final = 8080
"""REST, WebSocket, SSE."""
INGRESS_PORT: Final = 8099
"""Home Assistant's ingress alone."""

PYTHON: Final = Path("/opt/signal-courier/bin/python")
"""The interpreter of the virtual environment that holds the service."""
ENGINE: Final = Path("/opt/signal-cli")
"""signal-cli: `bin/signal-cli`, `lib/*.jar`, `native/libsignal_jni.so` for this processor, perhaps `signal-cli.jsa` (see `engine`)."""
ENGINE_NATIVE: Final = Path("/opt/signal-cli-native/bin/signal-cli")
"""The build without Java, where the image has it."""
JAVA: Final = Path("/opt/java/bin/java")
"""The Java runtime; may be a link."""
HEALTH: Final = Path("/usr/bin/signal-courier-health")
"""What HEALTHCHECK runs: exit code 0 when the service answers."""

DATA: Final = Path("/data")
"""The app's folder, which the Supervisor keeps and backs up; a volume for those who have no Supervisor."""
OPTIONS: Final = DATA / "options.json"
"""What was set in Home Assistant; the Supervisor writes it at each start."""
COURIER_DATA: Final = DATA / "courier"
"""Our data."""
SIGNAL_CLI_DATA: Final = DATA / "signal-cli"
"""signal-cli's data in Home Assistant: keys, so nothing for a folder that is shared."""
UPSTREAM_DATA: Final = Path("/home/.local/share/signal-cli")
"""signal-cli's data in the container of bbernhard/signal-cli-rest-api, and here where a volume is mounted there."""
OTHER_APPS: Final = (Path("/addon_configs"), Path("/app_configs"))
"""Where other apps keep their configuration (`map: all_app_configs`, read-only)."""
CERTIFICATES: Final = Path("/ssl")
"""Home Assistant's certificates (`map: ssl`, read-only)."""

RUN: Final = Path("/run/signal-courier")
"""Sockets and what else ends with the container; private to the service's user."""
SOCKET: Final = RUN / "signal-cli.sock"
"""Where signal-cli listens."""
TEMPORARY: Final = RUN / "tmp"
"""Temporary files of signal-cli."""
HEALTH_ADDRESS: Final = RUN / "health"
"""Holds the address that `HEALTH` asks."""

USER: Final = 1000
"""User and group id of everything but the supervision, as upstream; `SIGNAL_CLI_UID`, `SIGNAL_CLI_GID` are others."""
WITHIN_UPSTREAM: Final = ".signal-courier"
"""Our folder within signal-cli's, where that is the only volume."""
ADDRESSES: Final = "0.0.0.0"  # noqa: S104  # a container is reached from outside or not at all
"""Where the service listens."""
TOKEN: Final = "home-assistant.token"  # noqa: S105  # the name of a file
"""Among our data: the token that Home Assistant gets."""
ANNOUNCED: Final = "discovery.json"
"""Among our data: what the Supervisor calls our message."""
