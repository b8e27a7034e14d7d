"""Every recorded exchange of upstream has the same answer and the same effect here, or differs as the table of deviations says.

How to compare: the status; the type of the content (the text/plain of undecodable bodies is upstream's quirk and free); JSON is contained
in the answer (more keys are fine, the lengths of lists count), text is equal, a picture has the same first bytes, a QR code the same
content. Calls that send or change something are the same, and no others.
"""

import asyncio
import io
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.service.golden.deviations import DEVIATIONS, AsRecorded, Deviation
from tests.service.golden.reading import as_read, changing
from tests.service.golden.recordings import backend, exchanges
from tests.service.golden.replay import Observed, Transport, replay

CASES = [exchange.case for exchange in exchanges()]
_BYTES = re.compile(r"<\d+ bytes ([0-9a-f]+)>")


@pytest.fixture(scope="module", params=["unix", pytest.param("tcp", marks=pytest.mark.slow)])
def observed(request: pytest.FixtureRequest) -> Mapping[str, Observed]:
    """All exchanges are replayed once for each way to reach the backend; every test looks at one."""
    transport: Transport = request.param
    return asyncio.run(replay(transport))


@pytest.mark.parametrize("case", CASES)
def test_answer_and_effect_are_as_recorded_or_as_intended(case: str, observed: Mapping[str, Observed]):
    seen = observed[case]
    deviation = DEVIATIONS.get(case)
    _check_status(seen, deviation)
    _check_answer(seen, deviation)
    _check_calls(seen, deviation)
    assert not seen.spooled, "temporary files are left"


def test_every_marked_case_is_in_the_table_and_has_its_mark():
    marked = {exchange.case: exchange.deviation for exchange in exchanges() if exchange.deviation}
    assert {case: DEVIATIONS[case].id for case in marked} == marked
    assert {case for case in DEVIATIONS if case not in marked} == {case for case in DEVIATIONS if DEVIATIONS[case].id == "S5"}


def test_names_of_cases_are_unique():
    assert len(set(CASES)) == len(CASES) == 144


def _check_status(seen: Observed, deviation: Deviation | None) -> None:
    wanted = seen.exchange.status
    if deviation is not None and not isinstance(deviation.status, AsRecorded):
        wanted = deviation.status
    assert seen.status == wanted, seen.body.decode(errors="replace")


def _check_answer(seen: Observed, deviation: Deviation | None) -> None:
    exchange = seen.exchange
    media = _media(seen.headers.get("Content-Type"))
    if deviation is not None and not isinstance(deviation.response, AsRecorded):
        if deviation.response is None:
            assert (seen.body, media) == (b"", None)
        else:
            assert media == "application/json"
            _assert_contains(json.loads(seen.body), deviation.response)
        return
    recorded = exchange.response
    if picture := _BYTES.fullmatch(recorded):
        assert media == _media(exchange.content_type)
        assert seen.body.startswith(bytes.fromhex(picture[1]))
        if exchange.path.startswith("/v1/qrcodelink"):
            [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(seen.body)))
            assert code.text == backend().results["startLink"]["deviceLinkUri"]
    elif _media(exchange.content_type) == "application/json" or recorded.startswith("{"):
        assert media in {"application/json", _media(exchange.content_type)}
        _assert_contains(json.loads(seen.body), json.loads(recorded))
    else:
        assert media == _media(exchange.content_type)
        assert seen.body.decode("latin-1") == recorded
    if "Location" in exchange.headers:
        assert seen.headers["Location"] == exchange.headers["Location"]


def _check_calls(seen: Observed, deviation: Deviation | None) -> None:
    wanted = seen.exchange.backend
    if deviation is not None and not isinstance(deviation.calls, AsRecorded):
        wanted = list(deviation.calls)
    if wanted is not None:
        assert changing(seen.calls) == changing(wanted)
    for call in deviation.reads if deviation is not None else ():
        assert as_read(call) in [as_read(made) for made in seen.calls]


def _media(content_type: str | None) -> str | None:
    return content_type.partition(";")[0] if content_type else None


def _assert_contains(answer: Any, recorded: Any, where: str = "$") -> None:
    if isinstance(recorded, dict):
        assert isinstance(answer, dict), where
        for key, value in recorded.items():
            assert key in answer, f"{where}.{key} is missing"
            _assert_contains(answer[key], value, f"{where}.{key}")
    elif isinstance(recorded, list):
        assert isinstance(answer, list), where
        assert len(answer) == len(recorded), where
        for at, value in enumerate(recorded):
            _assert_contains(answer[at], value, f"{where}[{at}]")
    else:
        assert (answer, type(answer)) == (recorded, type(recorded)), where
