"""How one visit gets in: the token dialects in turn, or a signature or a static token on each request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from rosterwatch import auth, oneroster
from rosterwatch.address import without_query
from rosterwatch.auth import Grant, TokenRequest
from rosterwatch.client import Answer
from rosterwatch.district import District
from rosterwatch.observation import Asked, Dialect, Exchange, Phase, Token, TokenAttempt
from rosterwatch.providers import Auth, TokenDialect

HTTP_BAD_REQUEST: Final = 400
HTTP_UNAUTHORIZED: Final = 401
HTTP_FORBIDDEN: Final = 403
HTTP_TOO_MANY_REQUESTS: Final = 429
# OAuth codes that are a verdict on the credentials or on our request: no other path will say anything better.
_VERDICTS: Final = frozenset({"invalid_client", "unauthorized_client", "invalid_grant", "access_denied"})


class Proof(Protocol):
    """What proves a data request: a token, or whatever signs it."""

    def headers(self, method: str, url: str) -> dict[str, str]:
        """The headers for one request, to be sent once."""


Send = Callable[..., Awaitable[Answer]]


@dataclass
class Access:
    """One visit's way in. ``proof`` is what the data requests carry, ``None`` as long as there is none."""

    district: District
    send: Send
    hint: str | None = None
    proof: Proof | None = None
    asked: Asked = field(default_factory=Asked)
    attempts: list[TokenAttempt] = field(default_factory=list)
    renewed: bool = False
    _dialect: TokenDialect | None = None  # the one that was asked last, and the scopes
    _scopes: tuple[str, ...] = ()
    _granted: frozenset[str] | None = None
    _renewal: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def enter(self) -> Token:
        """Try the dialects in order, the remembered one first, until one grants or one gives a verdict."""
        if not self.district.auth.asks_for_token:
            self.proof = static_proof(self.district)
            return Token((), per_request=True)
        self.attempts += self.asked.refusals or self.asked.missing.values()
        if self.asked.refusals:
            return self.token()
        self._scopes = wanted_scopes(self.district)
        for dialect in sorted(self.district.token_dialects, key=lambda dialect: dialect.name != self.hint):
            if dialect.url(self.district.base.url) in self.asked.missing:
                continue
            attempt = await self._ask_with_fewer_scopes(dialect)
            if attempt is None or attempt.granted or not may_try_next(attempt.exchange):
                break
        return self.token()

    def token(self) -> Token:
        """What is known of the token by now."""
        if not self.district.auth.asks_for_token:
            return Token((), per_request=True)
        asked = self._scopes if self._dialect is not None and self._dialect.scoped else ()
        named = self._granted
        missing = tuple(scope for scope in asked if scope not in named) if named is not None else ()
        return Token(tuple(self.attempts), missing, self.renewed, asked, scopes_named=named is not None)

    async def another(self, refused: Proof) -> Proof | None:
        """What came after a refused token: there is one new token in a visit, whoever asks for it first."""
        if not self.district.auth.asks_for_token:
            return None
        async with self._renewal:
            if self.proof is refused and self._dialect is not None and not self.renewed:
                self.renewed = True
                await self._ask(self._dialect, self._scopes)
            return self.proof if self.proof is not refused else None

    async def _ask_with_fewer_scopes(self, dialect: TokenDialect) -> TokenAttempt | None:
        """Ask once; where the scopes are refused that the operator did not choose, once more with the one that matters.

        A server that knows none of the specification's scopes may still grant its own to who asks for none: for products
        other than Aeries, whose dialects are known, that is the last try.
        """
        attempt = await self._ask(dialect, self._scopes)
        if self.district.scopes is not None:
            return attempt
        fewer = [self._scopes[:1]] if len(self._scopes) > 1 else []
        if self.district.provider.name != "aeries":
            fewer.append(())
        for scopes in fewer:
            if attempt is None or attempt.exchange.body.code != "invalid_scope":
                break
            self._scopes = scopes
            attempt = await self._ask(dialect, scopes)
        return attempt

    async def _ask(self, dialect: TokenDialect, scopes: tuple[str, ...]) -> TokenAttempt | None:
        self._dialect = dialect
        request: TokenRequest | None
        if dialect.auth is Auth.AERIES_V1_CODE:
            before = len(self.attempts)
            request = await self._code(dialect)
            if request is None:
                return self.attempts[-1] if len(self.attempts) > before else None
        else:
            request = auth.token_request(self.district.base.url, dialect, self.district.credentials, scopes)
        target = shown_target(self.district, dialect)
        answer = await self.send(Phase.TOKEN, "POST", request.url, target=target, headers=request.headers, content=request.content)
        grant = auth.read_grant(answer.document) if answer.exchange.succeeded else None
        self.proof, self._granted = grant, grant.scopes if grant else None
        if answer.starved:
            return None
        self.attempts.append(TokenAttempt(dialect.name, answer.exchange, granted=grant is not None))
        return self.attempts[-1]

    async def _code(self, dialect: TokenDialect) -> TokenRequest | None:
        """Aeries' oldest dialect: what to send next, once there is a code; without one, the attempt ends here."""
        base, credentials = self.district.base.url, self.district.credentials
        request = auth.aeries_code_request(base, credentials)
        answer = await self.send(
            Phase.TOKEN, "POST", request.url, target="/v1/oauth/authorize", headers=request.headers, content=""
        )
        if answer.starved:
            return None
        code = auth.read_code(answer.document) if answer.exchange.succeeded else None
        if code is None:
            self.attempts.append(TokenAttempt(dialect.name, answer.exchange, granted=False))
            return None
        return auth.aeries_token_request(base, credentials, code)


def static_proof(district: District) -> Proof:
    """What proves requests without any token being fetched."""
    if district.auth is Auth.BEARER:
        return Grant(district.credentials.bearer_token or "")
    # Imported here: it costs as much as all of OAuth 2 does, and most districts have no use for it.
    from rosterwatch.signature import Signer  # noqa: PLC0415

    return Signer(district.credentials, district.auth)


def wanted_scopes(district: District) -> tuple[str, ...]:
    """The scopes to ask for: as the operator or the provider names them, or what the collections need."""
    if district.scopes is not None:
        return district.scopes
    return oneroster.scopes(district.version, district.required + district.optional)


def shown_target(district: District, dialect: TokenDialect) -> str:
    """How a token request is called: its path, and its host where that is another one. Never its query."""
    url = without_query(dialect.url(district.base.url))
    if dialect.path == without_query(dialect.path) and "://" not in dialect.path:
        return dialect.path
    there, here = urlsplit(url), urlsplit(district.home.url)
    return there.path if there.netloc == here.netloc else f"{there.netloc}{there.path}"


def may_try_next(exchange: Exchange) -> bool:
    """Whether another token path may do better: this one is missing, is no token endpoint, or wants another dialect."""
    if exchange.fault or exchange.status is None or exchange.body.code in _VERDICTS or exchange.challenges & {"negotiate", "ntlm"}:
        return False
    if exchange.status == HTTP_UNAUTHORIZED and exchange.body.dialect in (Dialect.STATUS_INFO_SET, Dialect.IMSX):
        return True  # OneRoster's own refusal of whatever comes without a token: this is no token endpoint
    if exchange.status >= HTTP_BAD_REQUEST:
        return exchange.status not in (HTTP_UNAUTHORIZED, HTTP_FORBIDDEN, 408, HTTP_TOO_MANY_REQUESTS) and exchange.status < 500
    return True
