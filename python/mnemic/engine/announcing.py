"""Commits are announced to those who wait for them: each is woken only by what concerns it, and nobody polls."""

from __future__ import annotations

import threading
from collections.abc import Collection

from mnemic.model.scope import PartitionKey


class Announcer:
    """Tells subscribers of commits. Safe to call from many threads.

    Nothing is kept for a subscriber but that there is news, so one who does not come costs nothing.

    Args:
        revision: The last commit.
    """

    def __init__(self, revision: int) -> None:
        self._lock = threading.Lock()
        self._revision = revision
        # By tenant: a commit looks at its own tenant's alone.
        self._subscriptions: dict[str, set[Subscription]] = {}

    def announce(self, revision: int, keys: Collection[PartitionKey]) -> None:
        """A commit is durable, searches see it, and it changed these partitions."""
        with self._lock:
            self._revision = revision
            for key in keys:
                for subscription in self._subscriptions.get(key.tenant, ()):
                    subscription.note(key)

    def subscribe(self, tenant: str, partitions: frozenset[PartitionKey] | None) -> Subscription:
        """A subscription to a tenant's commits, or to those that change certain partitions of it."""
        subscription = Subscription(self, partitions)
        with self._lock:
            self._subscriptions.setdefault(tenant, set()).add(subscription)
        subscription.tenant = tenant
        return subscription

    def end(self, subscription: Subscription) -> None:
        """Forgets a subscription."""
        with self._lock:
            rest = self._subscriptions.get(subscription.tenant, set())
            rest.discard(subscription)
            if not rest:
                self._subscriptions.pop(subscription.tenant, None)

    def collect(self, subscription: Subscription) -> tuple[bool, int]:
        """Whether there was news since the last time, and the revision up to which that is known."""
        with self._lock:
            return subscription.clear(), self._revision


class Subscription:
    """One who waits for commits; for one thread at a time, but `wake` is for any.

    Attributes:
        tenant: Whose commits.
    """

    def __init__(self, announcer: Announcer, partitions: frozenset[PartitionKey] | None) -> None:
        self._announcer = announcer
        self._partitions = partitions
        self._event = threading.Event()
        self._has_news = False
        self.tenant = ""

    def note(self, key: PartitionKey) -> None:
        """A commit changed a partition; the announcer's lock is held."""
        if self._partitions is None or key in self._partitions:
            self._has_news = True
            self._event.set()

    def clear(self) -> bool:
        """Whether there was news; the announcer's lock is held."""
        had_news, self._has_news = self._has_news, False
        self._event.clear()
        return had_news

    def wake(self) -> None:
        """Ends a wait, or the next one."""
        self._event.set()

    def wait(self, seconds: float) -> tuple[bool, int]:
        """Waits for news, for a call of `wake`, or so long.

        Returns:
            Whether there was news, and a revision: what there was not news of does not concern it up to this one.
        """
        self._event.wait(seconds)
        return self._announcer.collect(self)

    def end(self) -> None:
        """Ends it, and a wait that goes on."""
        self._announcer.end(self)
        self.wake()
