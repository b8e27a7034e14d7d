"""What signal-cli reports of its own accord: what it received, as events."""
