"""The service, with simulated phones that scan a code when they are told to (`addDevice`), not by themselves after some seconds."""

import sys

from signal_courier.__main__ import main
from signal_courier.engine.simulator import linking

if __name__ == "__main__":
    linking.SCANNED_AFTER = 600.0
    sys.exit(main())
