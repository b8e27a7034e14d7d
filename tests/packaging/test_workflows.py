import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.description import ROOT, load

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))


def read(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_may_do_more_than_it_needs_or_run_for_ever(path):
    workflow = read(path)
    assert "permissions" in workflow
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 45, name
    for step in steps(workflow):
        assert "uses" in step or "run" in step
        if "uses" in step:
            assert re.search(r"@[\w.]+$|^docker://.+:[\d.]+$", step["uses"]), step["uses"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_people_type_never_becomes_a_command(path):
    """A title or a version in `${{ }}` inside a script would be run; variables of the environment are not."""
    for step in steps(read(path)):
        assert "${{" not in step.get("run", ""), step.get("name")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_in_steps_can_be_read_and_call_what_exists(path):
    for step in steps(read(path)):
        script = step.get("run", "")
        read_by_bash = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False, timeout=20)
        assert read_by_bash.returncode == 0, read_by_bash.stderr
        for name in re.findall(r"(?m)\bscripts/[\w-]+", script):
            assert os.access(ROOT / name, os.X_OK), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_wait_only_for_jobs_that_exist_and_read_only_what_those_give(path):
    workflow = read(path)
    jobs = workflow["jobs"]
    for name, job in jobs.items():
        needed = job.get("needs", [])
        needed = [needed] if isinstance(needed, str) else needed
        assert set(needed) <= set(jobs), name
        for other, output in re.findall(r"needs\.(\w+)\.outputs\.(\w+)", json.dumps(job)):
            assert other in needed, (name, other)
            assert output in jobs[other]["outputs"], (name, output)
        ids = {step["id"] for step in job["steps"] if "id" in step}
        assert set(re.findall(r"steps\.(\w+)\.outputs", json.dumps(job))) <= ids, name


def test_the_image_is_built_for_every_architecture_under_the_name_that_is_installed():
    workflow = read(FOLDER / "image.yml")
    assert json.loads(workflow["env"]["ARCHITECTURES"]) == load()["arch"]
    assert load()["image"].rpartition("/")[2] == workflow["env"]["IMAGE"]
