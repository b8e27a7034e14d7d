"""The shape of the database, as numbered steps; `PRAGMA user_version` says how many were taken.

A step that was released is never changed: a new one is appended.
"""

import sqlite3

from signal_courier.store.errors import SchemaTooNew

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # 1: what was received, and how far each consumer has read
    (
        """
        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of arrival; never used again, even after the last row is purged
            account TEXT NOT NULL,                 -- number of the account; '' where the frame could not be understood
            received_at INTEGER NOT NULL,          -- ms since epoch, by the guarded clock; for retention only
            envelope BLOB NOT NULL                 -- the exact bytes of {"envelope": …, "account": …}
        ) STRICT
        """,
        "CREATE INDEX inbox_by_account ON inbox (account)",
        """
        CREATE TABLE consumers (
            name TEXT NOT NULL,
            account TEXT NOT NULL,                 -- '' for a consumer of every account
            position INTEGER NOT NULL,             -- id of the last inbox row that was delivered
            PRIMARY KEY (name, account)
        ) STRICT, WITHOUT ROWID
        """,
    ),
    # 2: own votes in polls
    (
        """
        CREATE TABLE votes (
            id INTEGER PRIMARY KEY,
            account TEXT NOT NULL,
            conversation TEXT NOT NULL,            -- recipient or group id, as signal-cli spells it
            author TEXT NOT NULL,                  -- who asked
            poll INTEGER NOT NULL,                 -- the poll's timestamp, ms since epoch
            number INTEGER NOT NULL,               -- of the latest vote, from 1
            choices TEXT NOT NULL,                 -- of the latest vote, from 0, ascending, with commas
            UNIQUE (account, conversation, author, poll)
        ) STRICT
        """,
    ),
    # 3: events that are no envelopes, and who follows the events
    (
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,                -- of the same sequence as inbox.id, so that both together are one order without gaps
            created_at INTEGER NOT NULL,           -- ms since epoch, by the guarded clock; for retention only
            event BLOB NOT NULL                    -- the event as JSON, its id left 0
        ) STRICT
        """,
        """
        CREATE TABLE event_consumers (
            owner TEXT NOT NULL,                   -- id of the token that made it; '' for trusted callers
            name TEXT NOT NULL,
            position INTEGER NOT NULL,             -- id of the last event that was acknowledged
            created_at INTEGER NOT NULL,           -- ms since epoch
            seen_at INTEGER NOT NULL,              -- ms since epoch of the last connection or acknowledgement
            PRIMARY KEY (owner, name)
        ) STRICT, WITHOUT ROWID
        """,
    ),
    # 4: tokens, and what was done with them
    (
        """
        CREATE TABLE token_key (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            key BLOB NOT NULL,                     -- of the hashes
            revision INTEGER NOT NULL              -- grows with every change of a token
        ) STRICT
        """,
        """
        CREATE TABLE tokens (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            hash BLOB NOT NULL UNIQUE,             -- BLAKE2b of the token, keyed
            scopes TEXT NOT NULL,                  -- words
            accounts TEXT,                         -- words; NULL = all
            recipients TEXT,                       -- words; NULL = everybody
            dialect TEXT,                          -- NULL = the service's
            created_at INTEGER NOT NULL,           -- times: ms since epoch
            expires_at INTEGER,
            revoked_at INTEGER,
            last_used_at INTEGER,
            use_count INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,                   -- ms since epoch
            caller TEXT NOT NULL,
            kind TEXT NOT NULL,
            token_id TEXT,
            address TEXT NOT NULL,
            method TEXT NOT NULL,
            route TEXT NOT NULL,                   -- as declared, without what the caller filled in
            account TEXT,
            status INTEGER NOT NULL,
            times INTEGER NOT NULL
        ) STRICT
        """,
    ),
    # 5: what is sent, what became of it for each recipient, and the keys under which it was asked for
    (
        """
        CREATE TABLE outbox (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            kind TEXT NOT NULL,                    -- message, edit, reaction …
            content BLOB NOT NULL,                 -- JSON of what is sent
            created_at INTEGER NOT NULL,           -- ms since epoch, as all times
            expires_at INTEGER,                    -- NULL: its caller waited for it, it is not tried again
            resend INTEGER NOT NULL,               -- whether to send again what may have been sent
            attempts INTEGER NOT NULL,
            is_open INTEGER NOT NULL,              -- whether there is something left to do
            outcome BLOB                           -- JSON of what its caller was told
        ) STRICT
        """,
        "CREATE INDEX outbox_open ON outbox (number) WHERE is_open",
        """
        CREATE TABLE outbox_recipients (
            message INTEGER NOT NULL,
            position INTEGER NOT NULL,
            recipient TEXT NOT NULL,               -- as the outbox spells it
            conversation TEXT,                     -- what its history is found by; NULL for a member of a group
            via TEXT,                              -- the group through which this person gets it
            uuid TEXT,
            number TEXT,
            state TEXT NOT NULL,
            reason TEXT,
            timestamp INTEGER,                     -- Signal's name for the message
            changed_at INTEGER NOT NULL,
            tokens TEXT,                           -- challenge tokens, with spaces between
            since INTEGER,                         -- when the last attempt began
            until INTEGER,                         -- when it is tried again by itself
            PRIMARY KEY (message, position)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX outbox_by_timestamp ON outbox_recipients (timestamp) WHERE timestamp IS NOT NULL",
        "CREATE INDEX outbox_by_conversation ON outbox_recipients (conversation, message) WHERE conversation IS NOT NULL",
        "CREATE INDEX outbox_in_doubt ON outbox_recipients (since) WHERE state = 'unknown'",
        """
        CREATE TABLE outbox_keys (
            caller TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint BLOB NOT NULL,             -- of method, path and body
            message INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            status INTEGER,                        -- of the answer; NULL until it was given
            headers BLOB,
            body BLOB,
            PRIMARY KEY (caller, key)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX outbox_keys_by_message ON outbox_keys (message)",
    ),
    # 6: webhooks
    (
        """
        CREATE TABLE webhooks (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,                   -- id of the token that made it; '' for trusted callers
            url TEXT NOT NULL,
            description TEXT NOT NULL,
            form TEXT NOT NULL,                    -- event, rpc, gateway
            links INTEGER NOT NULL,                -- 1: media by address (form gateway)
            selection TEXT NOT NULL,               -- JSON: which events
            local INTEGER NOT NULL,                -- 1: may lie on this machine
            off TEXT,                              -- why it is switched off; NULL while it is on
            secrets TEXT NOT NULL,                 -- JSON: the current secret first; they sign, so they must be readable
            position INTEGER NOT NULL,             -- id of the last event that was delivered or passed over
            pending TEXT,                          -- JSON: the event that is being delivered
            missed INTEGER NOT NULL,
            delivered INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            created_at INTEGER NOT NULL,           -- times: ms since epoch
            updated_at INTEGER NOT NULL,
            success_at INTEGER,
            failure_at INTEGER,
            failure TEXT
        ) STRICT
        """,
        """
        CREATE TABLE webhook_replays (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            webhook TEXT NOT NULL,
            "after" INTEGER NOT NULL,              -- id of the last event that was delivered again
            upto INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE webhook_deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            webhook TEXT NOT NULL,
            message TEXT NOT NULL,                 -- the header webhook-id
            event INTEGER,                         -- NULL for a test
            cause TEXT NOT NULL,                   -- event, replay, test
            attempt INTEGER NOT NULL,
            at INTEGER NOT NULL,                   -- ms since epoch
            duration_ms INTEGER NOT NULL,
            status INTEGER,
            error TEXT,
            outcome TEXT NOT NULL,                 -- delivered, retrying, refused, failed
            next_at INTEGER
        ) STRICT
        """,
        "CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, id)",
    ),
    # 7: the credentials of the gateway, and the tokens made with them
    (
        """
        CREATE TABLE credentials (
            client_id TEXT PRIMARY KEY,
            token TEXT,                            -- tokens.id of its secret; NULL: whoever may administrate
            scopes TEXT NOT NULL,                  -- the gateway's own, with spaces between
            description TEXT NOT NULL,
            active INTEGER NOT NULL,
            created_at INTEGER NOT NULL,           -- ms since epoch, as all times
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        INSERT INTO credentials
        SELECT 'admin', NULL, '*', 'Whoever has a token with the scope admin', 1, now, now
        FROM (SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) AS now)
        """,  # unixepoch('subsec') is younger than Debian 12
        """
        CREATE TABLE gateway_tokens (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            token TEXT NOT NULL UNIQUE,            -- tokens.id
            client_id TEXT NOT NULL,               -- of the credential that made it
            identity TEXT NOT NULL,                -- whose devices it uses: 16 hex digits
            is_host INTEGER NOT NULL,              -- the identity is this service itself, with all its accounts
            is_admin INTEGER NOT NULL,             -- it was made first and has brought the host identity about
            updated_at INTEGER NOT NULL
        ) STRICT
        """,
    ),
    # 8: where things stand in the history of conversations, how far those were read, and who this service is
    (
        "ALTER TABLE inbox ADD COLUMN conversation TEXT",
        # UUID or number of the person, or internal id of the group; NULL for what is no part of a history
        "ALTER TABLE inbox ADD COLUMN target INTEGER",  # timestamp of the message that it changes; NULL for a message
        "ALTER TABLE inbox ADD COLUMN own INTEGER NOT NULL DEFAULT 0",  # 1: sent by the account on another device
        "CREATE INDEX inbox_by_conversation ON inbox (account, conversation, id, own) WHERE conversation IS NOT NULL AND target IS NULL",
        "CREATE INDEX inbox_messages ON inbox (account) WHERE conversation IS NOT NULL AND target IS NULL",
        "CREATE INDEX inbox_by_target ON inbox (account, target) WHERE target IS NOT NULL",
        "ALTER TABLE outbox ADD COLUMN target INTEGER",  # as in inbox
        "CREATE INDEX outbox_by_target ON outbox (account, target) WHERE target IS NOT NULL",
        """
        CREATE TABLE read_marks (
            account TEXT NOT NULL,
            conversation TEXT NOT NULL,            -- as in inbox
            upto INTEGER NOT NULL,                 -- inbox.id of the newest message that was read
            PRIMARY KEY (account, conversation)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE service (id INTEGER PRIMARY KEY CHECK (id = 1), instance TEXT NOT NULL) STRICT",
        "INSERT INTO service SELECT 1, lower(hex(randomblob(16)))",
    ),
    # 9: what was received before step 8 is still to be put in its place
    (
        "CREATE TABLE backfill (id INTEGER PRIMARY KEY CHECK (id = 1), below INTEGER NOT NULL) STRICT",
        "INSERT INTO backfill SELECT 1, newest + 1 FROM (SELECT max(id) AS newest FROM inbox) WHERE newest IS NOT NULL",
    ),
    # 10: since when this service is here: files that were there before it are not its to delete
    (
        "ALTER TABLE service ADD COLUMN since INTEGER NOT NULL DEFAULT 0",  # ms since 1970
        "UPDATE service SET since = CAST(strftime('%s', 'now') AS INTEGER) * 1000",
    ),
    # 11: what Signal has taken for its only recipient at once needs no row in outbox_recipients
    (
        "ALTER TABLE outbox ADD COLUMN addressee INTEGER",  # id of the only recipient; NULL: see outbox_recipients, also for the next three
        "ALTER TABLE outbox ADD COLUMN timestamp INTEGER",  # Signal's name for the message
        "ALTER TABLE outbox ADD COLUMN state TEXT",  # NULL: sent
        "ALTER TABLE outbox ADD COLUMN changed_at INTEGER",  # NULL: created_at
        """
        CREATE TABLE outbox_addressees (
            id INTEGER PRIMARY KEY,
            recipient TEXT NOT NULL,               -- these four as in outbox_recipients
            uuid TEXT,
            number TEXT,
            conversation TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX outbox_addressees_by_recipient ON outbox_addressees (recipient)",
        "CREATE INDEX outbox_addressees_by_conversation ON outbox_addressees (conversation)",
        "CREATE INDEX outbox_by_addressee ON outbox (addressee) WHERE addressee IS NOT NULL",
        "CREATE INDEX outbox_by_name ON outbox (timestamp) WHERE timestamp IS NOT NULL",
    ),
)


def check_version(version: int, steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Raises `SchemaTooNew` where a database is of a later version."""
    if version > len(steps):
        raise SchemaTooNew(
            f"the database has schema {version}, this version of Signal Courier knows {len(steps)} at most: install the later version again"
        )


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Take the steps that are still missing, each in a transaction of its own.

    The connection is in autocommit mode. Raises `SchemaTooNew` where a later version was at work.
    """
    version = _version(connection)
    check_version(version, steps)
    for number, statements in enumerate(steps[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
