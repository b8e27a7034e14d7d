"""What can go wrong with the database, for those above it."""


class StoreError(Exception):
    """The database cannot be used; the text says why, and is fit for people."""


class StoreBusy(StoreError):
    """Not possible now: locked by another program, disk full, disk trouble, or the service is stopping. Nothing was lost."""


class StoreFull(StoreBusy):
    """Not possible now, as the disk is full. Nothing was lost."""


class StoreCorrupt(StoreError):
    """The file is damaged, or is not a database at all."""


class StoreInUse(StoreError):
    """Another running Signal Courier has this data folder."""


class SchemaTooNew(StoreError):
    """A later version of Signal Courier wrote this database."""
