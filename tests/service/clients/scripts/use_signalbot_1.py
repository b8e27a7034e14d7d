"""A bot on signalbot 1: answers the first message it gets. Arguments: service, account, group id, attachment (unused)."""

import asyncio
import json
import sys

from signalbot import Command, Config, SignalBot

service, account, group, _ = sys.argv[1:]
outcome = {}


class Answer(Command):
    async def handle(self, context):
        try:
            outcome["received"] = context.message.text
            await context.start_typing()
            await context.stop_typing()
            outcome["replied"] = await context.reply("*reply*", text_mode="styled")
            outcome["edited"] = await context.edit("edited", outcome["replied"])
            await context.react("👍")
            await context.receipt("read")
            outcome["deleted"] = await context.remote_delete(outcome["replied"])
            outcome["grouped"] = await context.bot.send(group, "to all")
        except Exception as error:
            outcome["error"] = f"{type(error).__name__}: {error}"
        asyncio.get_running_loop().stop()


asyncio.set_event_loop(asyncio.new_event_loop())
bot = SignalBot(Config(signal_service=service, phone_number=account))
bot.register(Answer())
bot.start()
print(json.dumps(outcome))
