"""Who this service is: an id that stays, through restarts, updates and a restored backup; and since when it is here."""

from signal_courier.store.database import Database


async def instance_id(database: Database) -> str:
    """32 hexadecimal digits, made with the database."""
    return await database.read(lambda connection: str(connection.execute("SELECT instance FROM service").fetchone()[0]))


async def here_since(database: Database) -> int:
    """When the database was made, ms since 1970."""
    return await database.read(lambda connection: int(connection.execute("SELECT since FROM service").fetchone()[0]))
