"""Home Assistant goes away, asked to or killed, and comes back: what it is told then."""
