"""What was written for the built-in Signal Messenger goes on working."""
