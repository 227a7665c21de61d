"""Page tokens: opaque, and bound to the request that they continue."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from mnemic.model.errors import MnemicError, Reason, invalid_field

_FORMAT = 1


def request_digest(*parts: object) -> str:
    """A digest of what a page belongs to."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def encode_page_token(digest: str, position: list[str | None]) -> str:
    """The token of the page after `position`."""
    text = json.dumps([_FORMAT, digest, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_page_token(token: str, digest: str) -> list[str | None]:
    """Where the page before ended.

    Raises:
        MnemicError: INVALID_PAGE_TOKEN when the token is malformed or belongs to another request.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        version, owner, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise malformed_page_token() from None
    if version != _FORMAT or not isinstance(position, list):
        raise _invalid("is from another version of the server; start again without it")
    if not all(item is None or isinstance(item, str) for item in position):
        raise malformed_page_token()
    if owner != digest:
        raise _invalid("belongs to another request; the other fields must be those of the first call")
    return position


def malformed_page_token() -> MnemicError:
    """The refusal of a token that no answer gave."""
    return _invalid("is malformed; give the next_page_token of the last answer as it came")


def _invalid(description: str) -> MnemicError:
    return invalid_field("page_token", description, reason=Reason.INVALID_PAGE_TOKEN)
