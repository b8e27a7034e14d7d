"""A bot on signalbot 2: answers the first message it gets with everything it can. Arguments: service, account, group id, attachment."""

import asyncio
import json
import sys

from signalbot import Config, CreatePoll, DataMessageHandler, SendMessage, SignalBot, UpdateContact
from signalbot.receipts import ReceiptType

service, account, group, attachment = sys.argv[1:]
outcome = {}


class Answer(DataMessageHandler):
    async def handle_data_message(self, context):
        try:
            await self.answer(context)
        except Exception as error:
            outcome["error"] = f"{type(error).__name__}: {error}"
        asyncio.get_running_loop().stop()

    async def answer(self, context):
        outcome["received"] = context.message.text
        await context.start_typing()
        await context.stop_typing()
        replied = await context.reply(SendMessage(text="*reply*", text_mode="styled", attachments=[attachment]))
        outcome["replied"] = replied.timestamp
        edited = await context.edit(SendMessage(text="edited"), replied)
        outcome["edited"] = edited.timestamp
        await context.react("👍")
        await context.send_receipt(ReceiptType.READ)
        outcome["deleted"] = await context.remote_delete(replied)
        await context.update_contact(UpdateContact(name="Friend", expiration_in_seconds=60))
        polled = await context.create_poll(CreatePoll(question="?", answers=["a", "b"]))
        outcome["polled"] = polled.timestamp
        grouped = await context.bot.messages.send(SendMessage(text="to all"), group)
        outcome["grouped"] = grouped.timestamp


bot = SignalBot(Config(signal_service=service, phone_number=account, download_attachments=True))
bot.register(Answer())
bot.start()
print(json.dumps(outcome))
