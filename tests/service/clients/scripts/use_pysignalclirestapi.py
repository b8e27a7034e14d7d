"""Calls every method of pysignalclirestapi. Arguments: base URL, account, friend, group. Prints what each gave or raised."""

import base64
import json
import sys
import tempfile
from pathlib import Path

from pysignalclirestapi import SignalCliRestApi

base, account, friend, group = sys.argv[1:]
api = SignalCliRestApi(base, account)
outcome = {}


def attempt(name, call):
    try:
        result = call()
    except Exception as error:
        outcome[name] = f"{type(error).__name__}: {error}"
        return None
    outcome[name] = None
    return result


with tempfile.NamedTemporaryFile(suffix=".png") as picture:
    Path(picture.name).write_bytes(
        base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")
    )
    attempt("about", api.about)
    attempt("api_info", api.api_info)
    attempt("mode", api.mode)
    attempt("has_capability", lambda: api.has_capability("v2/send", "quotes"))
    attempt("list_accounts", api.list_accounts)
    groups = attempt("list_groups", api.list_groups)
    attempt("get_group", lambda: api.get_group(groups[0]["id"]))
    made = attempt("create_group", lambda: api.create_group("Made", [friend])["id"])
    sent = attempt(
        "send_message",
        lambda: api.send_message(
            "Hello", [friend], notify_self=True, filenames=[picture.name], attachments_as_bytes=[b"more"], text_mode="styled",
            mentions=[{"start": 0, "length": 1, "author": friend}], quote_timestamp=1700000000001, quote_author=friend, quote_message="q",
        ),
    )  # fmt: skip
    timestamp = int((sent[0] if isinstance(sent, list) else sent)["timestamp"])
    attempt("receive", lambda: api.receive(timeout=2))
    attempt("receive_ws", lambda: api.receive_ws(timeout=1, max_messages=1))
    attempt("update_group", lambda: api.update_group(made, name="Renamed", description="d", expiration_time=60, filename=picture.name))
    attempt("add_group_members", lambda: api.add_group_members(made, [friend]))
    attempt("add_group_admins", lambda: api.add_group_admins(made, [friend]))
    attempt("remove_group_admins", lambda: api.remove_group_admins(made, [friend]))
    attempt("remove_group_members", lambda: api.remove_group_members(made, [friend]))
    attempt("block_group", lambda: api.block_group(made))
    attempt("join_group", lambda: api.join_group(group))
    attempt("leave_group", lambda: api.leave_group(made))
    attempt("delete_group", lambda: api.delete_group(made))
    attempt("add_reaction", lambda: api.add_reaction("👍", friend, timestamp, account))
    attempt("remove_reaction", lambda: api.remove_reaction(friend, timestamp, account))
    attempt("send_receipt", lambda: api.send_receipt(friend, timestamp, "viewed"))
    attempt("update_profile", lambda: api.update_profile("Me", filename=picture.name))
    attempt("get_contacts", api.get_contacts)
    attempt("update_contact", lambda: api.update_contact(friend, name="Friend", expiration_in_seconds=0))
    attempt("sync_contacts", api.sync_contacts)
    attempt("search", lambda: api.search([friend]))
    attempt("list_indentities", api.list_indentities)
    attempt("verify_indentity", lambda: api.verify_indentity(friend, None, trust_all_known_keys=True))
    attempt("add_pin", lambda: api.add_pin("1234"))
    attempt("remove_pin", api.remove_pin)
    attempt("link_with_qr", lambda: api.link_with_qr("Device"))
    names = attempt("list_attachments", api.list_attachments)
    attempt("get_attachment", lambda: api.get_attachment(names[0]))
    attempt("delete_attachment", lambda: api.delete_attachment(names[0]))

print(json.dumps(outcome))
