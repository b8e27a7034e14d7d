"""The engine: signal-cli (or the simulator) behind one interface."""
