"""Signal Courier: a service in front of signal-cli that loses no message and lets no one in."""

__version__ = "0.1.0"
