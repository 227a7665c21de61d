"""Erasure, for every client alike."""

import uuid

from client_scenarios import bodies, client_scenario, other, refusal

from mnemic import Reason


def counts(result) -> dict[str, int]:
    return {place.place: place.destroyed for place in result.erasure.places}


@client_scenario
def a_person_is_erased_with_a_receipt(memory, user):
    for number in range(3):
        memory.add(f"thing number {number}", user_id=user, session_id=str(number))
    memory.add("somebody else's", user_id=other(user))
    request_id = str(uuid.uuid4())
    preview = memory.client.erase(user_id=user, validate_only=True)
    assert {place.place: place.found for place in preview.erasure.places} == {"memories": 3, "vectors": 3}
    assert preview.receipt is None
    done = memory.client.erase(user_id=user, reason="asked for", request_id=request_id)
    assert (counts(done)["memories"], counts(done)["vectors"], counts(done)["scopes"]) == (3, 3, 3)
    assert user.encode() not in done.receipt.document
    again = memory.client.erase(user_id=user, reason="asked for", request_id=request_id)
    assert (again.replayed, again.receipt) == (True, done.receipt)
    assert memory.client.erasure(request_id=request_id).receipt == done.receipt
    assert memory.client.erasure(done.erasure.erasure_id, wait=1.0).erasure == done.erasure
    listed = memory.client.list_erasures(page_size=1000).erasures
    assert done.erasure in listed
    assert bodies(memory.search("thing", user_id=user)) == []
    assert bodies(memory.search("somebody", user_id=other(user))) == ["somebody else's"]


@client_scenario
def one_memory_is_erased_with_what_was_drawn_from_it(memory, user):
    (source,) = memory.add("I live in Oslo.", user_id=user).memories
    memory.add({"content": "They live in Oslo.", "kind": "fact", "source_ids": [source.memory_id]}, user_id=user)
    memory.add("unrelated", user_id=user)
    done = memory.client.erase(memory_id=source.memory_id)
    assert counts(done)["memories"] == 2
    assert counts(done)["derived_facts"] == 1
    assert bodies(memory.list(user_id=user).memories) == ["unrelated"]
    assert refusal(memory.get, source.memory_id).reason is Reason.MEMORY_NOT_FOUND


@client_scenario
def erasures_are_refused_alike(memory, user):
    erase = memory.client.erase
    assert refusal(erase).reason is Reason.INVALID_FIELD
    assert refusal(erase, user_id=user, memory_id=str(uuid.uuid4())).reason is Reason.INVALID_FIELD
    assert refusal(erase, memory_id=str(uuid.uuid4())).reason is Reason.MEMORY_NOT_FOUND
    assert refusal(erase, user_id=user, reason="x" * 1025).reason is Reason.INVALID_FIELD
    assert refusal(erase, user_id=user, request_id="no UUID").reason is Reason.INVALID_FIELD
    assert refusal(memory.client.erasure, str(uuid.uuid4())).reason is Reason.RESOURCE_NOT_FOUND
    assert refusal(memory.client.erasure).reason is Reason.INVALID_FIELD
    hold = memory.create_legal_hold("a lawsuit", user_id=user).hold
    memory.add("kept by law", user_id=user)
    assert refusal(erase, user_id=user).reason is Reason.LEGAL_HOLD
    memory.release_legal_hold(hold.hold_id)
    erase(user_id=user)
    assert bodies(memory.list(user_id=user).memories) == []
