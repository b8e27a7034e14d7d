"""`/v1/stories`: pictures and videos that can be seen for a day. Beyond upstream."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.compat.dialects import Timestamp, timestamp_answer
from signal_courier.http.compat.targets import missing
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.attachments import Content
from signal_courier.model.messages import Story
from signal_courier.model.recipients import parse_group_id

routes = RouteTable("Stories")


class CreateStory(msgspec.Struct, kw_only=True):
    """A picture or video."""

    base64_attachment: Annotated[Content | None, msgspec.Meta(description="The file, in any form that `/v2/send` takes.")] = None
    attachment: Annotated[Content | None, msgspec.Meta(description="The same, preferably the id of an upload.")] = None
    group_id: Annotated[str | None, msgspec.Meta(description="For the members of a group; without it for all contacts.")] = None
    allow_replies: Annotated[bool | None, msgspec.Meta(description="True unless given.")] = None


@routes.add(
    "POST", "/v1/stories/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=CreateStory,
    body_example={"base64_attachment": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII="},
    answers=[Answer(201, "Published.", Timestamp, example={"timestamp": "1700000000123"})],
)  # fmt: skip
async def create_story(call: Call[CreateStory, None]) -> web.StreamResponse:
    """Publish a story.

    Needs signal-cli 0.14.6.
    """
    body, services, account = call.body, call.services, call.account
    content = body.base64_attachment or body.attachment
    if content is None:
        raise missing("base64_attachment")
    recipients = [parse_group_id(body.group_id, field="group_id")] if body.group_id else []
    if recipients:
        call.check_recipients(recipients)
    else:
        call.check_everybody()
    field = "base64_attachment" if body.base64_attachment else "attachment"
    async with services.staging.open(account) as stage:
        file = await stage.add(content, field, references_first=body.base64_attachment is None)
        return timestamp_answer(await call.send(account, recipients, Story(attachment=file, replies=body.allow_replies is not False)))
