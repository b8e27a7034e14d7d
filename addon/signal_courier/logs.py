"""Logging: one line an event, the level as upstream names it, changeable while running."""

import logging
import re
import sys
from typing import Literal, override

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def set_up_logging(level: str) -> None:
    """Log to stderr, one line an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Masked("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("signal_courier.http.protocol").setLevel(logging.CRITICAL)  # whoever speaks no HTTP would fill the log
    set_level(level)


_SECRETS = re.compile(
    r"(?P<path>(?<![\w.])(?:/d/[\w.]+)?/t/)[^/\s\"'?#]+"  # a token in a path
    r"|\b(?:sgc_|mt_|whsec_)[A-Za-z0-9_+/=-]{8,}"  # a token or a secret of ours anywhere
    r"|(?P<header>\b(?:Authorization|X-Api-Key)[\"']?\s*[:=,]\s*b?[\"']?(?:(?:Bearer|Basic)\s+)?)[^\s\"',;)]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """A text without the tokens in it."""
    return _SECRETS.sub(lambda found: f"{found['path'] or found['header'] or ''}…", text)


class Masked(logging.Formatter):
    """Takes tokens out of what is logged, tracebacks included."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def set_level(level: str) -> None:
    """Change how much is logged: `debug`, `info`, `warn` or `error`."""
    logging.getLogger().setLevel(max(LEVELS[level], logging.INFO))
    logging.getLogger("signal_courier").setLevel(LEVELS[level])


def current_level() -> Literal["debug", "info", "warn", ""]:
    """The level now, in upstream's words: empty at `error`."""
    level = logging.getLogger("signal_courier").getEffectiveLevel()
    if level <= logging.DEBUG:
        return "debug"
    if level <= logging.INFO:
        return "info"
    if level <= logging.WARNING:
        return "warn"
    return ""
