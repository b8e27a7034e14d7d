"""The service as `signal-courier serve` runs it, but a code to link gets a successor after 3 seconds instead of 60.

For a test that sees two of them and does not take two minutes.
"""

import asyncio

from signal_courier import settings
from signal_courier.__main__ import _greet
from signal_courier.courier import Courier, serve
from signal_courier.logs import set_up_logging

RENEW_AFTER = 3.0


def _hurry(courier: Courier) -> None:
    courier.link_sessions.renew_after = RENEW_AFTER
    _greet(courier)


if __name__ == "__main__":
    chosen, _ = settings.load({})
    set_up_logging(chosen.log_level)
    asyncio.run(serve(chosen, _hurry))
