"""The documentation is true: its examples are pasted into the service, and what it names is there."""
