"""The figures themselves are for people to read; here only that they can be had, and that nothing is lost under load."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import candidates, load, signal_clis
from tests.bench.backend import SOCIABLE
from tests.bench.candidates import Server
from tests.bench.report import Target

pytestmark = pytest.mark.slow
needs_wrk = pytest.mark.skipif(not load.wrk_is_there(), reason="wrk makes the load, and is not installed")


@pytest.fixture(scope="module", params=["courier", "bare"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    work = load.temporary_folder()
    with (candidates.courier if request.param == "courier" else candidates.bare)(work) as running:
        yield running
    shutil.rmtree(work)


@needs_wrk
@pytest.mark.parametrize(("path", "body"), [("/v2/send", load.SEND_BODY), ("/v1/about", None), (f"/v1/groups/{SOCIABLE}", None)])
def test_every_request_of_a_load_is_answered_well(server: Server, path: str, body: str | None) -> None:
    figures = load.requests(server, path, connections=8, seconds=1, body=body)
    assert figures.errors == 0
    assert figures.rate > 50
    assert 0 < figures.p50 <= figures.p99


@needs_wrk
def test_what_is_compared_answers_the_same(tmp_path: Path) -> None:
    with candidates.plain(tmp_path) as without, candidates.unnoted(tmp_path) as unnoted, candidates.courier(tmp_path) as ours:
        for server in (without, unnoted, replace(ours, token=candidates.TOKEN)):
            assert load.requests(server, "/v2/send", connections=8, seconds=1, body=load.SEND_BODY).errors == 0
        wrong = replace(ours, token="wrong")
        assert load.requests(wrong, "/v2/send", connections=1, seconds=1, body=load.SEND_BODY).errors == 0  # it is on this machine


def test_a_flood_reaches_every_client_whole(server: Server) -> None:
    assert load.flood(server, clients=20, messages=2000).lost == 0


def test_paced_messages_reach_every_client_with_the_time_they_were_sent(server: Server) -> None:
    figures = load.latency(server, clients=5, messages=50)
    assert figures.lost == 0
    assert 0 < figures.p50 < 1000


def test_attachments_side_by_side_stay_within_memory(server: Server) -> None:
    figures = load.upload(server, 20, at_once=2)
    if server.name == candidates.COURIER:
        assert figures.peak < 100


def test_a_cold_engine_is_started_by_the_first_call(tmp_path: Path) -> None:
    with candidates.supervising(tmp_path, signal_clis.stand_in(tmp_path), "normal") as server:
        cold, warm = load.asked(server, "/v1/accounts"), load.asked(server, "/v1/accounts")
        assert warm < cold < 20


def test_a_target_is_reached_below_or_above_its_limit_or_was_not_measured() -> None:
    results = {"send": {"a": {"cpu": 30.0}, "b": {"cpu": 20.0}}}
    assert Target("", "send", "cpu", 1.6, server="a", over="b").of(results) == 1.5
    assert Target("", "send", "cpu", 1.6, server="a").of(results) == 30.0
    assert Target("", "flood", "cpu", 1.6, server="a").of(results) is None
