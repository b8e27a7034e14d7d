"""What can go wrong with the database, for those above it."""


class StoreError(Exception):
    """The database cannot be used; the text says why."""


class StoreBusy(StoreError):
    """Writing is not possible now (disk full, locked by another process); nothing was lost."""
