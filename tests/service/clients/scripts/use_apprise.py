"""Sends through Apprise. Arguments: Apprise URL, attachment or empty. Prints whether it believes to have succeeded."""

import json
import sys

import apprise

url, attachment = sys.argv[1:]
sender = apprise.Apprise()
assert sender.add(url)
print(json.dumps(bool(sender.notify(body="Hello", attach=[attachment] if attachment else None))))
