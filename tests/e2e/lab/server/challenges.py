"""Proof that a sender is no machine: asked for by a lever, given by a captcha."""

import secrets

from tests.e2e.lab.server.network import Account
from tests.e2e.lab.server.registration import BAD_CAPTCHA
from tests.e2e.lab.server.requests import Answer, CamelStruct, Refused, Request, Routes

RETRY_AFTER_SECONDS = 86_400


class Proof(CamelStruct, kw_only=True):
    """Body of `PUT /v1/challenge`."""

    type: str
    token: str
    captcha: str | None = None


class ChallengeDesk:
    """Who must prove it, and who has."""

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("PUT", "/v1/challenge", self._accept)

    @staticmethod
    def demand(account: Account, after: int) -> str:
        """Once it has sent so many more, the account's messages are refused with 428; gives the token of the challenge."""
        account.proof_wanted = str(secrets.token_hex(8))
        account.sends_before_proof = after
        return account.proof_wanted

    @staticmethod
    def check(account: Account) -> None:
        """Lets pass who needs no proof.

        Raises:
            Refused: 428 with the token.
        """
        if account.proof_wanted is not None and account.sends_before_proof > 0:
            account.sends_before_proof -= 1
        elif account.proof_wanted is not None:
            value = {"token": account.proof_wanted, "options": ["captcha"]}
            raise Refused(Answer(428, value, {"Retry-After": str(RETRY_AFTER_SECONDS)}))

    async def _accept(self, request: Request) -> Answer:
        proof, account = request.decode(Proof), request.sender.account
        if proof.captcha == BAD_CAPTCHA or proof.token not in (account.proof_wanted, account.proof_given):
            return Answer(428)
        if proof.token == account.proof_wanted:
            account.proof_wanted, account.proof_given = None, proof.token
        return Answer(200)
