"""Every setting has a variable and an option, and a wrong value is refused with its name and the reason."""

import argparse
from pathlib import Path

import pytest

from signal_courier import settings
from signal_courier.model.dialects import Dialect


def _options(*arguments: str) -> dict[str, str | None]:
    parser = argparse.ArgumentParser()
    settings.add_options(parser)
    return settings.options_from(parser.parse_args(arguments))


def test_help_lists_every_setting_with_its_variable_and_aliases():
    parser = argparse.ArgumentParser()
    settings.add_options(parser)
    text = parser.format_help()
    for name in settings.usage_names():
        assert name in text


@pytest.mark.parametrize(
    "variable,value,reason",
    [
        ("PORT", "eighty", "whole number"),
        ("PORT", "70000", "between 0 and 65535"),
        ("MODE", "fast", "one of normal, native, json-rpc, json-rpc-native"),
        ("LOG_LEVEL", "loud", "one of debug"),
        ("COURIER_DIALECT", "0.99", "one of 0.101, 0.100, morph027"),
        ("COURIER_AUTH", "none", "one of token, open"),
        ("COURIER_ALLOWED_HOSTS", "ok.example.org, http://no.example.org", "host names without port"),
        ("COURIER_CORS_ORIGINS", "https://example.org/page", "origins such as"),
        ("COURIER_INGRESS_PEER", "supervisor", "an address"),
        ("COURIER_TLS_KEY", "/key.pem", "needs COURIER_TLS_CERTIFICATE"),
        ("COURIER_ENGINE", "carrier-pigeon", "one of signal-cli, simulator"),
        ("COURIER_HOST", "not a host", "address or a host name"),
        ("COURIER_INBOX_DAYS", "0", "between 1 and"),
        ("SIGNAL_CLI_SOCKET", "/run/socket", "unix:/path or tcp:host:port"),
        ("AUTO_RECEIVE_SCHEDULE", "hourly please", "cron expression"),
        ("RECEIVE_WEBHOOK_URL", "ftp://10.0.0.1/", "http or https"),
        ("JSON_RPC_TRUST_NEW_IDENTITIES", "sometimes", "on-first-use"),
        ("JSON_RPC_IGNORE_STORIES", "perhaps", "true or false"),
        ("PYTHON_SIGNAL_CLI_REST_API_ACCOUNT", "me", "phone number"),
        ("PYTHON_SIGNAL_CLI_REST_API_JSONRPC_PORT", "many", "unix:/path or tcp:host:port"),
    ],
)
def test_wrong_value_is_refused_with_name_and_reason(variable: str, value: str, reason: str):
    with pytest.raises(settings.SettingError) as refused:
        settings.load({}, {variable: value})
    assert variable in str(refused.value)
    assert reason in str(refused.value)


def test_the_simulator_leaves_a_persons_own_signal_cli_alone(tmp_path: Path):
    chosen, _ = settings.load({}, {"COURIER_ENGINE": "simulator", "COURIER_DATA_DIR": str(tmp_path)})
    assert chosen.signal_cli_config_dir == tmp_path / "signal-cli"
    assert settings.load({}, {})[0].signal_cli_config_dir == Path.home() / ".local/share/signal-cli"
    chosen, _ = settings.load({}, {"COURIER_ENGINE": "simulator", "SIGNAL_CLI_CONFIG_DIR": str(tmp_path)})
    assert chosen.signal_cli_config_dir == tmp_path


def test_option_wins_over_variable():
    chosen, _ = settings.load(_options("--port", "81", "--ignore-stories"), {"PORT": "82"})
    assert chosen.port == 81
    assert chosen.ignore_stories is True


def test_wrong_option_is_named_as_option():
    with pytest.raises(settings.SettingError, match="--port"):
        settings.load(_options("--port", "x"), {})


def test_empty_variable_counts_as_unset():
    chosen, _ = settings.load({}, {"PORT": "", "MODE": ""})
    assert (chosen.port, chosen.mode) == (8080, "normal")


def test_variables_of_morph027_are_understood():
    chosen, _ = settings.load(
        {},
        {
            "PYTHON_SIGNAL_CLI_REST_API_ACCOUNT": "4915100000001",
            "PYTHON_SIGNAL_CLI_REST_API_HOST": "0.0.0.0",
            "PYTHON_SIGNAL_CLI_REST_API_PORT": "9000",
            "PYTHON_SIGNAL_CLI_REST_API_JSONRPC_HOST": "10.0.0.7",
            "COURIER_DIALECT": "morph027",
        },
    )
    assert chosen.default_account == "+4915100000001"
    assert (chosen.host, chosen.port) == ("0.0.0.0", 9000)
    assert chosen.signal_cli_socket == "tcp:10.0.0.7:7583"
    assert chosen.dialect is Dialect.MORPH027


def test_unix_socket_of_morph027_is_understood():
    chosen, _ = settings.load({}, {"PYTHON_SIGNAL_CLI_REST_API_JSONRPC_HOST": "/run/signal-cli/socket"})
    assert chosen.signal_cli_socket == "unix:/run/signal-cli/socket"


@pytest.mark.parametrize(
    "environment,word",
    [
        ({"USE_NATIVE": "1", "MODE": "native"}, "USE_NATIVE"),
        ({"MODE": "json-rpc", "AUTO_RECEIVE_SCHEDULE": "0 22 * * *"}, "AUTO_RECEIVE_SCHEDULE"),
        ({"SIGNAL_CLI_UID": "1000"}, "SIGNAL_CLI_UID"),
        ({"ENABLE_PLUGINS": "true"}, "ENABLE_PLUGINS"),
    ],
)
def test_what_upstream_makes_fatal_is_a_warning(environment: dict[str, str], word: str):
    _, warnings = settings.load({}, environment)
    assert any(word in warning for warning in warnings)


@pytest.mark.parametrize(
    "variable,meant", [("COURIER_INBOX_DAY", "COURIER_INBOX_DAYS"), ("COURIER_TOKENFILE", "COURIER_TOKEN_FILE"), ("COURIER_XYZ", None)]
)
def test_a_variable_that_looks_like_ours_and_is_none_is_told(variable: str, meant: str | None):
    _, (warning,) = settings.load({}, {variable: "1", "COURIER_BACKUP_PASSPHRASE": "x", "SIGNAL_COURIER_PORT": "tcp://10.0.0.7:8080"})
    assert warning == f"{variable} is no setting and is ignored" + (f"; is {meant} meant?" if meant else "")


def test_a_signal_cli_that_is_not_there_is_told_before_somebody_needs_it(tmp_path: Path):
    _, (warning,) = settings.load({}, {"SIGNAL_CLI": str(tmp_path / "signal-cli")})
    assert "SIGNAL_CLI" in warning
    program = tmp_path / "signal-cli"
    program.touch(mode=0o755)
    assert settings.load({}, {"SIGNAL_CLI": str(program)})[1] == []


def test_webhook_and_command_timeout_work_in_every_mode():
    for mode in ("normal", "native", "json-rpc", "json-rpc-native"):
        chosen, warnings = settings.load({}, {"MODE": mode, "RECEIVE_WEBHOOK_URL": "http://10.0.0.7/", "SIGNAL_CLI_CMD_TIMEOUT": "60"})
        assert chosen.receive_webhook_url == "http://10.0.0.7/"
        assert chosen.command_timeout == 60
        assert warnings == []


def test_a_token_is_in_no_text_and_no_option():
    secret = "too short"
    with pytest.raises(settings.SettingError) as refused:
        settings.load({}, {"COURIER_TOKEN": secret})
    assert "16 characters" in str(refused.value)
    assert secret not in str(refused.value)
    assert not hasattr(_parsed(), "token")
    chosen, _ = settings.load({}, {"COURIER_TOKEN": "0123456789abcdef"})
    assert chosen.outside_token() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(chosen)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    settings.add_options(parser)
    return parser.parse_args([])


def test_a_token_in_a_file_is_read_and_a_bad_file_is_named(tmp_path: Path):
    file = tmp_path / "token"
    chosen, _ = settings.load({}, {"COURIER_TOKEN_FILE": str(file)})
    with pytest.raises(settings.SettingError, match="COURIER_TOKEN_FILE"):
        chosen.outside_token()
    file.write_text("0123456789abcdef\n")
    assert chosen.outside_token() == "0123456789abcdef"
    file.write_text("short")
    with pytest.raises(settings.SettingError) as refused:
        chosen.outside_token()
    assert "short" not in str(refused.value).removeprefix(f"COURIER_TOKEN_FILE: what {file}")


def test_lists_of_names_take_commas_and_spaces():
    chosen, _ = settings.load(
        {}, {"COURIER_ALLOWED_HOSTS": "a.example.org, b.example.org", "COURIER_CORS_ORIGINS": "https://c.example.org"}
    )
    assert chosen.allowed_hosts == ("a.example.org", "b.example.org")
    assert chosen.cors_origins == ("https://c.example.org",)
