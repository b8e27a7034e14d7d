"""SQLite: what must survive a crash."""
