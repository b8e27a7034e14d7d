"""What the lab and the process of its servers tell each other at the start."""

import msgspec


class Start(msgspec.Struct, kw_only=True, frozen=True):
    """From the lab to the servers."""

    java_home: str
    class_path: list[str]
    certificate: str
    """PEM file with chain and key."""
    scratch: str
    """A folder for libsignal's native library."""


class Started(msgspec.Struct, kw_only=True, frozen=True):
    """From the servers to the lab."""

    port: int
    """Signal's servers, TLS."""
    lever_port: int
    trust_root: bytes
    """Public key of the sender certificates' root."""
    zk_parameters: bytes
    """Public parameters of zkgroup."""
