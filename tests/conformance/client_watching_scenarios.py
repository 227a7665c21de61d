"""What holds for every client that watches."""

from client_scenarios import client_scenario, other, refusal

from mnemic import Reason
from mnemic.model.memory import ChangeKind


def told(entries):
    return [(entry.change, entry.memory.body) for entry in entries]


@client_scenario
def what_happens_is_watched_and_a_later_watch_goes_on(memory, user):
    watch = memory.watch(user_id=user)
    one = memory.add("one", user_id=user).memory_ids[0]
    assert told(watch.take(1)) == [(ChangeKind.ADDED, "one")]
    memory.add("another's", user_id=other(user))
    memory.update(one, "uno")
    assert told(watch.take(1)) == [(ChangeKind.UPDATED, "uno")]
    known = watch.revision
    watch.close()
    memory.delete(one)
    again = memory.watch(user_id=user, after_revision=known)
    assert told(again.take(1)) == [(ChangeKind.DELETED, "uno")]
    again.close()


@client_scenario
def everything_that_ever_happened_is_watched(memory, user):
    memory.add(["one", "two"], user_id=user, metadata={"topic": "a"})
    memory.add("three", user_id=user, metadata={"topic": "b"})
    watch = memory.watch(user_id=user, from_start=True)
    assert told(watch.take(3)) == [(ChangeKind.ADDED, text) for text in ("one", "two", "three")]
    watch.close()
    watch = memory.watch(user_id=user, from_start=True, filters={"topic": "b"})
    assert told(watch.take(1)) == [(ChangeKind.ADDED, "three")]
    watch.close()


@client_scenario
def a_bad_watch_is_refused_when_it_begins(memory, user):
    for field, options in (
        ("scope", {}),
        ("after_revision", {"user_id": user, "after_revision": -1}),
        ("heartbeat", {"user_id": user, "heartbeat": 0.1}),
        ("match", {"user_id": user, "match": "some"}),
    ):
        refused = refusal(memory.watch, **options)
        assert ([violation.field for violation in refused.violations], refused.reason) == (
            [field],
            Reason.SCOPE_MISSING if field == "scope" else Reason.INVALID_FIELD,
        )
