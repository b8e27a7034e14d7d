"""Runs the servers until standard input is closed: `python -m tests.e2e.lab.server`, with one line of JSON (`Start`) on it first.

Says `Started` on standard output as one line of JSON, as soon as the ports are open.
"""

import asyncio
import logging
import sys
from pathlib import Path

import msgspec

from tests.e2e.lab.server.application import SignalServers
from tests.e2e.lab.server.levers import LeverServer
from tests.e2e.lab.server.zk import ZkServer
from tests.e2e.lab.startup import Start, Started


async def main() -> None:
    """Reads what to do, says where it is done, and stays."""
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    zk = ZkServer(Path(start.java_home), [Path(entry) for entry in start.class_path], Path(start.scratch))
    servers = SignalServers(zk)
    signal_runner, port = await servers.start(Path(start.certificate))
    lever_runner, lever_port = await LeverServer(servers).start()
    started = Started(
        port=port,
        lever_port=lever_port,
        trust_root=servers.issuer.root_public_key,
        zk_parameters=zk.public_parameters,
    )
    sys.stdout.buffer.write(msgspec.json.encode(started) + b"\n")
    sys.stdout.flush()
    try:
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        await servers.sockets.close_all()
        await lever_runner.cleanup()
        await signal_runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main())
