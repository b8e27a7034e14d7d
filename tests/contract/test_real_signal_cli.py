"""What is recorded is still what the real signal-cli answers; with `CONTRACT_RECORD=1` in the environment it is recorded anew."""

import json
import os
from pathlib import Path

from tests.contract.test_contract import RECORDED
from tests.contract.worlds import Real, disagreements, outcomes
from tests.e2e.lab.laboratory import Lab


async def test_recorded_answers_are_those_of_the_real_signal_cli(lab: Lab, tmp_path: Path) -> None:
    found = await outcomes(Real(lab), tmp_path)
    if os.environ.get("CONTRACT_RECORD"):
        RECORDED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    recorded = json.loads(RECORDED.read_text())
    assert list(found) == list(recorded)
    assert [drift for case in recorded for drift in disagreements(recorded[case], found[case], case)] == []
