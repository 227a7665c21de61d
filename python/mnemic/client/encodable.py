"""What the wire has no room for, refused as the engine refuses it in process."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from mnemic.client.requests import AddRequest, UpdateRequest
from mnemic.model.access import ApiKey, Tenant
from mnemic.model.context import ComposeRequest
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.requests import ListRequest
from mnemic.model.search import SearchRequest
from mnemic.model.watching import WatchRequest


@contextmanager
def encodable(request: object = None) -> Generator[None]:
    """What the wire has no room for is a bad argument like any other: a number over its range, text of no encoding.

    Args:
        request: What is encoded, so that the field at fault can be named.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        _refuse(request)
        words = f"a text is not valid Unicode (a lone surrogate): {error}"
        raise MnemicError(Reason.MALFORMED_MESSAGE, words) from error
    except (TypeError, ValueError) as error:
        _refuse(request)
        raise MnemicError(Reason.INVALID_FIELD, f"an argument has the wrong type or range: {error}") from error


def _refuse(request: object) -> None:
    """Raises what the engine would, if it finds the fault."""
    # Only now, since it loads the engine's settings: clients are light.
    from mnemic.engine import account_checks, validation  # noqa: PLC0415 (the same)
    from mnemic.engine.settings import Limits  # noqa: PLC0415 (the same)

    now_micros = time.time_ns() // 1000
    match request:
        case AddRequest():
            validation.check_scope(request.scope)
            validation.check_inputs(request.memories, Limits(), now_micros=now_micros)
        case UpdateRequest():
            validation.check_update(request.changes, Limits(), now_micros=now_micros)
        case SearchRequest():
            validation.check_search(request, Limits())
            _refuse_filter(request)
        case ComposeRequest():
            validation.check_compose(request, Limits())
            try:
                _refuse_filter(request.search)
            except MnemicError as error:
                raise error.within("search") from error
        case ListRequest():
            validation.check_scope(request.scope, request.match)
            _refuse_filter(request)
        case WatchRequest():
            validation.check_watch(request)
            _refuse_filter(request)
        case Tenant():
            account_checks.check_tenant(request)
        case ApiKey():
            account_checks.check_new_key(request, now_micros)
        case _:
            pass


def _refuse_filter(request: SearchRequest | ListRequest | WatchRequest) -> None:
    from mnemic.engine.searching import compile_filter  # noqa: PLC0415 (as above)

    if request.filter is not None:
        compile_filter(request.filter)
