"""What can be wrong with a value from outside."""


class InvalidValue(ValueError):
    """A value that cannot be taken. `field` names it as the caller spelled it, `message` tells the caller what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class MissingThing(InvalidValue):
    """The value is well formed, but there is no such thing here."""


class Overloaded(Exception):
    """More at once than is taken; the same may succeed later. `message` says what."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TooLarge(InvalidValue):
    """More than is taken: a body, a text, an attachment."""
