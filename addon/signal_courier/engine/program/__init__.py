"""signal-cli as a program: brought here, started, watched, ended."""
