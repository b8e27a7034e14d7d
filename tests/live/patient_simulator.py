"""The service with a simulated network where phones scan a code when they are told to (`addDevice`), and messages travel in no time."""

import sys

from signal_courier.__main__ import main
from signal_courier.engine.simulator import delivery, linking

if __name__ == "__main__":
    linking.SCANNED_AFTER = 600.0
    delivery.TRAVEL = 0.0
    sys.exit(main())
