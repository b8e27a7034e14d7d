"""The options of the app become settings of the service, each by the one table."""

import re
from pathlib import Path

import pytest

from signal_courier import settings
from signal_courier.app import options
from signal_courier.app.options import OPTIONS, Option, OptionError

_FREE = {
    "default_account": "+4915100000001",
    "webhook_url": "http://192.168.1.9/hook",
    "allowed_hosts": ["signal.example.org", "other.example.org"],
    "cors_origins": ["https://example.org"],
    "auto_receive_schedule": "0 22 * * *",
    "java_options": "-Xlog:gc",
}


def samples(option: Option) -> list[options.Value]:
    """Values that the schema allows, the extremes among them."""
    kind, arguments = re.fullmatch(r"\[?(\w+)(?:\((.*)\))?\?\]?", option.schema).groups()  # type: ignore[union-attr]  # a test of its own
    if option.name in _FREE:
        return [_FREE[option.name]]
    if kind == "list":
        return list(arguments.split("|"))
    if kind == "int":
        return [int(bound) for bound in arguments.split(",")]
    return [True, False]


def test_every_option_may_be_left_out() -> None:
    assert all(re.fullmatch(r"\[?.+\?\]?", option.schema) for option in OPTIONS)
    assert options.variables({}) == {}


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.variable], ids=lambda option: option.name)
def test_whatever_the_schema_allows_the_service_takes(option: Option) -> None:
    for value in samples(option):
        found = options.variables({option.name: value})
        assert list(found) == [option.variable]
        settings.load({}, found)


def test_what_is_shown_from_the_start_is_what_holds_without_it() -> None:
    shown = {option.variable: option.shown for option in OPTIONS if option.shown is not None}
    assert shown == {"MODE": "json-rpc", "COURIER_AUTH": settings.Settings().auth, "LOG_LEVEL": settings.Settings().log_level}


def test_variables_exist_and_none_is_set_by_two_options() -> None:
    named = [option.variable for option in OPTIONS if option.variable]
    assert len(set(named)) == len(named)
    assert set(named) <= set(settings.usage_names())


def test_certificates_are_named_as_in_home_assistants_own_apps() -> None:
    assert options.variables({"certfile": "x.pem"}) == {}
    assert options.variables({"ssl": True}) == {
        "COURIER_TLS_CERTIFICATE": "/ssl/fullchain.pem",
        "COURIER_TLS_KEY": "/ssl/privkey.pem",
    }
    assert options.variables({"ssl": True, "certfile": "a.pem", "keyfile": "b.pem"})["COURIER_TLS_KEY"] == "/ssl/b.pem"


def test_memory_comes_before_what_a_person_tells_java() -> None:
    assert options.variables({"java_memory_mib": 128, "java_options": "-Xss1m"})["JAVA_OPTS"] == "-Xms16m -Xmx128m -Xss1m"


def test_what_an_older_version_knew_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    file.write_text('{"mode": "normal", "auto_update": true, "webhook_url": null}')
    assert options.read(file) == {"mode": "normal"}
    assert options.read(tmp_path / "absent") == {}


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_file_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    file.write_text(content)
    with pytest.raises(OptionError, match=re.escape(str(file))):
        options.read(file)
