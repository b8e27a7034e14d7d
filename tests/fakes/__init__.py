"""Stand-ins for what is far away: a signal-cli daemon, and a signal-cli program."""
