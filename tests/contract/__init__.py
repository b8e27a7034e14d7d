"""What the simulator and the real signal-cli must have in common."""
