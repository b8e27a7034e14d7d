"""A jump of the system's clock changes nothing until it has lasted."""

from signal_courier.messaging.clock import SETTLE, GuardedClock


class Times:
    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.monotonic = 1000.0
        self.clock = GuardedClock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float, jump: float = 0) -> int:
        self.wall += seconds + jump
        self.monotonic += seconds
        return self.clock.now_ms()


def test_time_passes_with_the_system() -> None:
    times = Times()
    assert times.pass_(10) == 1_800_000_010_000
    assert times.clock.uptime == 10


def test_small_corrections_are_followed() -> None:
    assert Times().pass_(10, jump=2) == 1_800_000_012_000


def test_a_jump_is_not_believed_at_once() -> None:
    for jump in (400 * 86_400, -400 * 86_400):
        times = Times()
        assert times.pass_(10, jump=jump) == 1_800_000_010_000
        assert times.pass_(3600) == 1_800_003_610_000
        assert times.pass_(10, jump=-jump) == 1_800_003_620_000


def test_a_jump_that_lasts_is_believed() -> None:
    times = Times()
    times.pass_(0, jump=86_400)
    assert times.pass_(SETTLE) == int((1_800_000_000 + 86_400 + SETTLE) * 1000)
