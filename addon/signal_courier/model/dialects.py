"""On which answers the clients of the drop-in API disagree, by the name of the release they were written for."""

import enum


class Dialect(enum.StrEnum):
    """The spelling of an answer. Only `/v2/send`, `DELETE` of a group and reactions differ."""

    V0_101 = "0.101"
    """bbernhard/signal-cli-rest-api from 0.101: `/v2/send` answers a list."""
    V0_100 = "0.100"
    """The same up to 0.100: `/v2/send` answers one object."""
    MORPH027 = "morph027"
    """python-signal-cli-rest-api: timestamps by time, 204 for a deleted group, 200 for a reaction."""
