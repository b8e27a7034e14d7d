"""What the routes' documentation shares."""

from http import HTTPStatus
from typing import Final

import msgspec

from signal_courier.http.problems import Problem
from signal_courier.http.routing import Answer

ACCOUNT: Final = "+4915100000001"
PERSON: Final = "+4915100000002"
PERSON_UUID: Final = "11111111-1111-4111-8111-111111111111"
INTERNAL_GROUP: Final = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
GROUP: Final = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
INVITE_LINK: Final = "https://signal.group/#CjQKIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gEhAhIiMkJSYnKCkqKywtLi8w"
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII="
DEVICE_LINK: Final = "sgnl://linkdevice?uuid=abcdefghijklmnopqrstuv&pub_key=BQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
EXPIRATION: Final = msgspec.Meta(description="Seconds after which messages vanish; 0 = never.", ge=0, le=2**31 - 1)


def refusal(description: str, text: str, status: int = 400) -> Answer:
    """An error answer with its text."""
    phrase = HTTPStatus(status).phrase
    return Answer(status, description, Problem, example={"error": text, "message": text, "description": phrase, "status": status})
