"""Calls every method of signal-cli-rest-api-client. Arguments: base URL, account, friend, token. Prints what each gave or raised."""

import asyncio
import json
import sys

from signal_cli_rest_api_client.client import SendError, SignalClient, encode_attachment

base, account, friend, token = sys.argv[1:]
client = SignalClient(base, account, "home", token)
outcome = {}


async def attempt(name, doing):
    try:
        result = await doing
    except Exception as error:
        outcome[name] = f"{type(error).__name__}: {error}"
        return None
    outcome[name] = None
    return result


async def main():
    heard = asyncio.Queue()

    async def listen():
        async for event in client.stream_events():
            heard.put_nowait(event)

    listener = asyncio.create_task(listen())
    picture = encode_attachment(b"\x89PNG\r\n\x1a\n", "image/png", "a b.png")
    mention = {"start": 0, "length": 1, "author": friend}
    sent = await attempt(
        "send", client.send(friend, "*Hi* there", text_mode="styled", base64_attachments=[picture], mentions=[mention], notify_self=False)
    )
    timestamp = int(sent[0]["timestamp"])
    answer = await asyncio.wait_for(heard.get(), 10)
    while "dataMessage" not in answer["envelope"]:
        answer = await asyncio.wait_for(heard.get(), 10)
    outcome["stream_events"] = None if answer["account"] == account else f"{answer}"
    await attempt("edit", client.send(friend, "Ho", edit_timestamp=timestamp))
    await attempt("quote", client.send(friend, "q", quote_timestamp=timestamp, quote_author=account, quote_message="Hi"))
    await attempt("show_typing_indicator", client.show_typing_indicator(friend))
    await attempt("hide_typing_indicator", client.hide_typing_indicator(friend))
    await attempt("set_reaction", client.set_reaction(friend, account, timestamp, "❤️"))
    await attempt("clear_reaction", client.clear_reaction(friend, account, timestamp))
    await attempt("send_read_receipt", client.send_read_receipt(friend, timestamp))
    await attempt("delete_message", client.delete_message(friend, timestamp))
    names = await attempt("list_attachments", client.list_attachments())
    await attempt("get_attachment", client.get_attachment(names[0]))
    await attempt("delete_attachment", client.delete_attachment(names[0]))
    try:
        await client.send("nobody", "Hi")
    except SendError as error:
        outcome["refused"] = None if "nobody" in str(error) else str(error)
    listener.cancel()


asyncio.run(main())
print(json.dumps(outcome))
