"""What Home Assistant is told, apart from a running container."""

from dataclasses import replace
from pathlib import Path

from signal_courier.app import discovery, plan
from signal_courier.settings import Settings


def planned(**settings: object) -> plan.Plan:
    made = plan.make({"COURIER_ENGINE": "simulator"})
    return replace(made, settings=replace(Settings(), **settings))  # type: ignore[arg-type]  # names and values of settings


def test_a_certificate_has_the_name_of_the_house_and_is_not_checked_inside_it() -> None:
    config = discovery.message(planned(tls_certificate=Path("/ssl/fullchain.pem")), "sgc_x")["config"]
    assert isinstance(config, dict)
    assert (config["ssl"], config["verify_ssl"], config["token"]) == (True, False, "sgc_x")


def test_without_one_nothing_is_said_of_it() -> None:
    config = discovery.message(planned(port=8081), "sgc_x")["config"]
    assert isinstance(config, dict)
    assert set(config) == {"host", "port", "token"}
    assert config["port"] == 8081


def test_outside_home_assistant_nobody_is_told() -> None:
    made = plan.make({"COURIER_ENGINE": "simulator"})
    assert made.supervisor_token is None
    assert not made.announces
    assert discovery.announce(made)
