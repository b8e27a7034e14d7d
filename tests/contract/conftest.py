"""The lab for the contract's test with the real signal-cli; the others do without."""

from pathlib import Path

import pytest

from tests.e2e.lab.fixtures import lab, mark_real, prepared

__all__ = ["lab", "prepared"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One test needs the real signal-cli."""
    mark_real(items, Path(__file__).with_name("test_real_signal_cli.py"))
