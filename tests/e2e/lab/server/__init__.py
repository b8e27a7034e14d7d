"""Signal's servers as a client sees them: chat (websocket and REST), storage, and the content network.

Nothing that a server cannot see is checked: keys are stored, sealed messages are handed on. What a client relies on is kept, though:
a message stays in its device's mailbox until the device has acknowledged it, a password opens only its own device, a re-registration
shuts the old devices out.

==================  =======================================================================================================
`network.py`        who is registered with which devices and keys; the state all topics share
`requests.py`       a request and its answer, the same over websocket and REST; the table of routes
`websocket.py`      Signal's framing of requests over a websocket, and mailboxes being emptied over it
topics              `registration.py`, `accounts.py`, `usernames.py`, `keys.py`, `messages.py`, `profiles.py`, `linking.py`,
                    `challenges.py`, `stickers.py`, `attachments.py`, `storage.py`, `groups.py`
`faults.py`         what goes wrong on request
`levers.py`         the HTTP interface for tests
`application.py`    all of it together; `__main__.py` runs it
==================  =======================================================================================================
"""
