"""The same requests get equal answers from every server, however it is reached: responses, statuses and details."""

import access_scenarios  # noqa: F401 (registers its scenarios, as those below do)
import admin_scenarios  # noqa: F401
import audit_scenarios  # noqa: F401
import backup_scenarios  # noqa: F401
import composing_scenarios  # noqa: F401
import consolidation_scenarios  # noqa: F401
import defence_scenarios  # noqa: F401
import erasure_scenarios  # noqa: F401
import extraction_scenarios  # noqa: F401
import fact_scenarios  # noqa: F401
import memory_scenarios  # noqa: F401
import pytest
import refusal_scenarios  # noqa: F401
import retention_scenarios  # noqa: F401
import serving_scenarios  # noqa: F401
import transfer_scenarios  # noqa: F401
import watching_scenarios  # noqa: F401
from deployments import GUARDED_REFERENCE, KINDS, REFERENCE, Kind
from transcript import differences
from wire import COMMON, DIFFERENCES, GUARDED, PATHS, READS, Wire


@pytest.fixture(scope="session")
def transcript_of(deployment_of):
    """What a scenario sees at a deployment; each is run once."""
    known = {}

    def run(kind: Kind, name: str) -> list[tuple[str, object]]:
        if (kind, name) not in known:
            wire = Wire(deployment_of(kind), name)
            (COMMON | GUARDED)[name](wire)
            known[kind, name] = wire.transcript.lines
        return known[kind, name]

    return run


def pairs():
    for kind in KINDS:
        for name in COMMON:
            yield pytest.param(kind, REFERENCE, name, id=f"{kind.name}: {name}")
        for name in GUARDED if kind.credential else ():
            yield pytest.param(kind, GUARDED_REFERENCE, name, id=f"{kind.name}: {name}")


@pytest.mark.parametrize(("kind", "reference", "name"), list(pairs()))
def test_every_deployment_answers_as_the_reference_does(transcript_of, kind, reference, name):
    may_differ = DIFFERENCES.get(name, ()) if kind.front else ()
    found = differences(transcript_of(reference, name), transcript_of(kind, name), but=may_differ)
    assert not found, "\n".join(found)


def test_every_rpc_of_the_contract_is_called_and_both_answered_and_refused(transcript_of):
    """Those that do not work yet are only refused: they are the rows of a table of their own."""
    answered, refused, later = set(), set(), set()
    for reference, scenarios in ((REFERENCE, COMMON), (GUARDED_REFERENCE, GUARDED)):
        for name in scenarios:
            for path, outcome in transcript_of(reference, name):
                is_later = "NOT_IMPLEMENTED" in str(outcome) and name.startswith("later: ")
                (later if is_later else answered if "answer" in outcome else refused).add(path)
    assert set(PATHS.values()) <= answered | later
    assert set(PATHS.values()) <= refused | later


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.front], ids=lambda kind: kind.name)
def test_the_front_answered_natively_what_it_can(deployment_of, transcript_of, kind):
    """Or the comparison would have been one of Python with itself."""
    for name in COMMON:
        transcript_of(kind, name)
    calls, _, _ = deployment_of(kind).server._front._listener.figures()
    native = {}
    for method, code, relayed, count in calls:
        if code == 0 and not relayed:
            native[method] = native.get(method, 0) + count
    for method in READS:
        assert native[PATHS[method]] >= 3, native
