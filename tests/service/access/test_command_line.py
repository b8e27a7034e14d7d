"""`signal-courier token …`, with and without a running service."""

import asyncio
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from signal_courier.access import command_line
from signal_courier.model.errors import InvalidValue
from tests.fakes.served import ACCOUNT, simulated

ROOT = Path(__file__).parents[3]


async def program(data: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """The real program in a process of its own: exit code, output, complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signal_courier", *arguments,
        env={"PATH": os.environ["PATH"], "HOME": str(data), "PYTHONPATH": str(ROOT / "addon"), "COURIER_DATA_DIR": str(data)} | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


@pytest.mark.slow
async def test_a_token_made_beside_the_running_service_works_at_once_and_ends_within_a_second(tmp_path: Path) -> None:
    async with simulated(tmp_path, trust_loopback=False) as service:
        data = service.courier.settings.data_dir
        code, out, _ = await program(data, "token", "create", "doorbell", "--scope", "send", "--expires", "30d", "--account", ACCOUNT)
        assert code == 0
        id_, secret = re.match(r"(tok_\w+)  doorbell\n(sgc_\S{43})\n", out).groups()  # type: ignore[union-attr]
        headers = {"X-Api-Key": secret}
        assert (await service.get("/v1/about", **headers)).status == 200, "at once, although it was unknown"
        me = (await service.get("/api/v2/tokens/self", **headers)).json
        assert (me["scopes"], me["accounts"]) == (["send"], [ACCOUNT])

        code, out, _ = await program(data, "token", "rotate", "doorbell")
        renewed = {"X-Api-Key": out.splitlines()[1]}
        assert (await service.get("/v1/about", **renewed)).status == 200
        assert (await service.get("/v1/about", **headers)).status == 401
        assert secret not in (await program(data, "token", "list"))[1]

        assert (await program(data, "token", "revoke", id_))[0] == 0
        async with asyncio.timeout(30):
            await until_refused(service, renewed)
        assert (await program(data, "token", "list"))[1].strip() == "no tokens"
        assert "revoked" in (await program(data, "token", "list", "--all"))[1]
        code, _, error = await program(data, "token", "revoke", id_)
        assert (code, "no token in use" in error) == (1, True)


async def until_refused(service: object, headers: dict[str, str]) -> None:
    while (await service.get("/v1/about", **headers)).status == 200:  # type: ignore[attr-defined]  # noqa: ASYNC110  # a look is a request
        await asyncio.sleep(0.1)


async def test_a_token_made_before_the_first_start_works(tmp_path: Path) -> None:
    code, out, _ = await program(tmp_path / "data", "token", "create", "early", "--scope", "admin")
    assert code == 0
    async with simulated(tmp_path, trust_loopback=False) as service:
        assert (await service.get("/api/v2/tokens", Authorization=f"Bearer {out.splitlines()[1]}")).status == 200


async def test_several_scopes_may_stand_in_one_word_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    code, out, _ = await program(tmp_path, "token", "create", "bot", "--scope", "send,receive", "--scope", "groups")
    assert code == 0
    assert "No service has run yet" in out, "the token may be for another folder than the one of the service that is meant"
    _, listed, _ = await program(tmp_path, "token", "list")
    assert set(re.search(r"bot  (\S+)", listed)[1].split(",")) == {"send", "receive", "groups"}  # type: ignore[index]
    code, out, error = await program(tmp_path, "token", "create", "other", "--scope", "send,sing")
    assert (code, out) == (2, "")
    assert "no scope 'sing'; there are send, receive" in error
    assert "No service" not in (await program(tmp_path, "token", "create", "other", "--scope", "send"))[1]


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (["create", "x", "--scope", "send", "--expires", "soon"], "neither a span"),
        (["create", "x", "--scope", "send", "--expires", "2001-01-01"], "in the past"),
        (["create", "x", "--scope", "send", "--account", "me"], "accounts: .me. is no phone number"),
        (["revoke", "nobody"], "no token in use"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command_line.add_commands(parser)
    with pytest.raises(InvalidValue, match=complaint):
        command_line.run(parser.parse_args(arguments), tmp_path / "courier.db")


def test_a_name_that_two_tokens_have_is_not_enough(tmp_path: Path) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command_line.add_commands(parser)
    for _ in range(2):
        command_line.run(parser.parse_args(["create", "twin", "--scope", "send"]), tmp_path / "courier.db")
    with pytest.raises(InvalidValue, match="several tokens"):
        command_line.run(parser.parse_args(["revoke", "twin"]), tmp_path / "courier.db")


async def test_the_first_start_beyond_this_machine_makes_one_admin_token_and_shows_it_once(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        async with simulated(tmp_path, host="0.0.0.0", trust_loopback=False) as service:
            shown.append(service.courier.first_token)
            if shown[0] is not None:
                assert (await service.get("/api/v2/tokens", Authorization=f"Bearer {shown[0]}")).status == 200
    assert shown[0] is not None
    assert shown[1] is None
    async with simulated(tmp_path / "local") as service:
        assert service.courier.first_token is None, "this machine alone needs none"


async def test_the_admin_token_is_kept_where_the_settings_say(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "admin-token"
    for _ in range(2):
        async with simulated(tmp_path, admin_token_file=file, trust_loopback=False) as service:
            kept = file.read_text().strip()
            assert (await service.get("/api/v2/tokens", Authorization=f"Bearer {kept}")).status == 200
            assert len(service.courier.tokens.all()) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_uses_are_counted_through_a_restart(tmp_path: Path) -> None:
    secret = ""
    for expected in (3, 6):
        async with simulated(tmp_path, trust_loopback=False) as service:
            if not secret:
                from signal_courier.access.tokens import new_token

                _, secret = await service.courier.tokens.create(new_token("x", ["send"]))
            for _ in range(3):
                await service.get("/v1/about", Authorization=f"Bearer {secret}")
            assert service.courier.tokens.all()[0].use_count == expected
