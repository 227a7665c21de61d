"""Who is calling: what the Python server asks before a call does anything."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from mnemic import _core
from mnemic.model.access import AccessRole
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope

CREDENTIAL_HEADER = "authorization"
# Tells that the front of this very process relayed the call; it counted the call against the caller's rate already.
FRONT_HEADER = "x-mnemic-front"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling.

    Attributes:
        tenant: Whose memories all of it is about.
        role: What the caller may do.
        within: The ids that each memory it reads or writes must carry; empty for no restriction.
        subject: A key's id, a token's `sub`, or `anonymous`.
        check: Raises UNAUTHENTICATED once the credential is no longer good: for calls that last.
    """

    tenant: str
    role: AccessRole
    within: Scope
    subject: str
    check: Callable[[], None]


class Gate:
    """Lets calls in or turns them away, by the authenticator that the front asks as well.

    Args:
        authenticator: It.

    Attributes:
        front_secret: What the front of this process sends with relayed calls.
    """

    def __init__(self, authenticator: _core.Authenticator) -> None:
        self._authenticator = authenticator
        self.front_secret = secrets.token_hex(32)

    def enter(self, path: str, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """Who calls a method.

        Raises:
            MnemicError: UNAUTHENTICATED, PERMISSION_DENIED below the method's role, QUOTA_EXCEEDED above the rate.
        """
        credential: str | bytes | None = None
        is_relayed = False
        for key, value in metadata:
            if key == CREDENTIAL_HEADER and credential is None:
                credential = value
            elif key == FRONT_HEADER:
                is_relayed = hmac.compare_digest(_bytes(value), self.front_secret.encode())
        header = None if credential is None else _bytes(credential)
        now = time.time_ns() // 1000
        try:
            principal = self._authenticator.authenticate(header, now)
            self._authenticator.permit(principal, path)
            if not is_relayed:
                self._authenticator.admit(principal, now)
        except _core.AccessError as error:
            raise _refusal(error) from None
        return Caller(
            principal.tenant,
            AccessRole(principal.role),
            Scope(*principal.scope),
            principal.subject,
            partial(self._check_again, header),
        )

    def _check_again(self, header: bytes | None) -> None:
        try:
            self._authenticator.authenticate(header, time.time_ns() // 1000)
        except _core.AccessError as error:
            raise _refusal(error) from None


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _refusal(error: _core.AccessError) -> MnemicError:
    reason, message, metadata, retry_after_micros = error.args
    retry = None if retry_after_micros is None else retry_after_micros / 1e6
    return MnemicError(Reason(reason), message, metadata=metadata, retry_after_seconds=retry)
