"""Signal Courier: a REST, WebSocket and webhook service in front of signal-cli."""

__version__ = "0.1.0"
