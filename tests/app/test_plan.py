"""Where data is kept, and who runs signal-cli: worked out from variables, options and volumes."""

from pathlib import Path

import pytest

from signal_courier.app import plan
from signal_courier.settings import SettingError

UPSTREAM = "/home/.local/share/signal-cli"


@pytest.mark.parametrize(
    ("mounted", "ours", "signal_clis", "lasting"),
    [
        ([], "/data/courier", UPSTREAM, False),
        (["/data"], "/data/courier", "/data/signal-cli", True),
        ([UPSTREAM], f"{UPSTREAM}/.signal-courier", UPSTREAM, True),
        (["/home"], f"{UPSTREAM}/.signal-courier", UPSTREAM, True),
        (["/data", UPSTREAM], "/data/courier", UPSTREAM, True),
        (["/data/signal-cli"], "/data/signal-cli/.signal-courier", "/data/signal-cli", True),
        (["/data/courier"], "/data/courier", UPSTREAM, False),
    ],
)
def test_data_is_kept_on_the_volumes_that_are_there(mounted: list[str], ours: str, signal_clis: str, lasting: bool) -> None:
    made = plan.make({}, frozenset(map(Path, mounted)))
    assert (str(made.settings.data_dir), str(made.settings.signal_cli_config_dir), made.lasting) == (ours, signal_clis, lasting)


def test_variables_name_other_places() -> None:
    made = plan.make({"SIGNAL_CLI_CONFIG_DIR": "/srv/signal", "COURIER_DATA_DIR": "/srv/courier"}, frozenset({Path("/srv")}))
    assert (str(made.settings.data_dir), str(made.settings.signal_cli_config_dir), made.lasting) == ("/srv/courier", "/srv/signal", True)


@pytest.mark.parametrize(
    ("environment", "container", "attached"),
    [
        ({}, True, True),
        ({"MODE": "json-rpc-native"}, True, True),
        ({"MODE": "normal"}, False, False),
        ({"SIGNAL_CLI_SOCKET": "tcp:10.0.0.9:7583"}, False, True),
        ({"COURIER_ENGINE": "simulator"}, False, False),
    ],
)
def test_one_of_them_runs_signal_cli(environment: dict[str, str], container: bool, attached: bool) -> None:
    made = plan.make(environment)
    assert (made.runs_engine, made.settings.attached) == (container, attached)
    assert made.settings.signal_cli_respawns is container


def test_the_simulator_keeps_off_real_keys_and_files() -> None:
    for environment, expected in (
        ({"COURIER_ENGINE": "simulator"}, "/data/courier/signal-cli"),
        ({"COURIER_ENGINE": "simulator", "SIGNAL_CLI_CONFIG_DIR": "/srv/signal"}, "/srv/signal"),
    ):
        assert str(plan.make(environment, frozenset({Path("/data")})).settings.signal_cli_config_dir) == expected


def test_the_supervisors_token_stays_out_of_the_service() -> None:
    made = plan.make({"SUPERVISOR_TOKEN": "secret", "HASSIO_TOKEN": "secret", "SIGNAL_CLI_UID": "1001", "TZ": "UTC"})
    assert made.supervisor_token == "secret"
    assert "secret" not in made.environment.values()
    assert made.environment["TZ"] == "UTC"
    assert made.settings.ingress_port == 8099


@pytest.mark.parametrize("value", ["ann", "-1", "4294967295"])
def test_a_user_is_a_number(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    with pytest.raises(SettingError, match="SIGNAL_CLI_UID"):
        plan.make({"SIGNAL_CLI_UID": value})
