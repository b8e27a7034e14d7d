"""Failed attempts are slowed by address, in bounded memory."""

from signal_courier.access.throttle import BURST, REFILL, Throttle, group_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_may_fail_a_few_times_and_then_once_in_a_while() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(BURST):
        assert throttle.wait("192.0.2.1") == 0
        throttle.failed("192.0.2.1")
    assert throttle.wait("192.0.2.1") > 0
    assert throttle.wait("192.0.2.2") == 0, "the neighbour is free"
    clock.now += REFILL + 0.1
    assert throttle.wait("192.0.2.1") == 0
    throttle.failed("192.0.2.1")
    assert throttle.wait("192.0.2.1") > 0
    clock.now += BURST * REFILL
    assert throttle.wait("192.0.2.1") == 0


def test_memory_is_bounded_whoever_comes() -> None:
    throttle = Throttle()
    for number in range(10_000):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle) <= 4096


def test_a_network_of_ipv6_is_one_address() -> None:
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff:1") != group_of("2001:db8:0:1::1")
    assert group_of("::ffff:192.0.2.1") == group_of("192.0.2.1")
    assert group_of("fe80::1%eth0") == group_of("fe80::2%eth0")
    assert group_of(None) == ""
