"""The goals of the front as rows, from what was measured."""

from __future__ import annotations

from bench.harness import Goal
from bench.serve.generator import Measured

FRONT, PYTHON, MODEL = "front", "grpcio", "the model alone"


def goals(measured: Measured) -> list[Goal]:
    one = "vector query, 1 caller"
    front, python = measured[one, FRONT], measured[one, PYTHON]
    many = measured["vector query, 64 callers", FRONT]
    spun, python_spun = (measured["vector query, a thread spins", name] for name in (FRONT, PYTHON))
    text = "text, fresh, 1 caller"
    fresh, python_fresh, model = (measured[text, name] for name in (FRONT, PYTHON, MODEL))
    around_model = measured.added(text, FRONT, MODEL)
    both = "vector query, 1 caller, guarded or not"
    unguarded = measured[both, "front, open"]
    seen = "vector query, 1 caller, watched or not"
    watched, unwatched = measured[seen, "front, watched"], measured[seen, "front, unwatched"]
    relayed, direct = (measured["relayed call (a page of one)", name] for name in (FRONT, PYTHON))
    overload, before = (
        measured[scenario, FRONT]
        for scenario in ("twice the arrivals that it can answer", "as fast as 64 callers go, before the overload")
    )
    watching = measured.ratio(seen, "front, watched", "front, unwatched")
    relay_goal = 1.3 * direct.p50 + 150.0
    growth = overload.rss / before.rss
    others = {code: count for code, count in overload.refusals.items() if code != "8"}
    return [
        Goal("p50 µs of a vector search over gRPC", front.p50, "≤ 100", front.p50 <= 100),
        Goal("× grpcio's p50", front.p50 / python.p50, "≤ 0.4", front.p50 / python.p50 <= 0.4),
        Goal(
            "× grpcio's CPU a call",
            front.server_cpu / python.server_cpu,
            "≤ 0.35",
            front.server_cpu / python.server_cpu <= 0.35,
            f"{front.server_cpu:.0f} µs and {python.server_cpu:.0f} µs",
        ),
        Goal("searches a second, 64 callers", many.per_second, "≥ 15,000", many.per_second >= 15_000),
        Goal(
            "× idle p50 with the GIL held",
            spun.p50 / front.p50,
            "≤ 1.5",
            spun.p50 / front.p50 <= 1.5,
            f"grpcio: {python_spun.p50 / python.p50:.0f} times; the spinning thread takes one of the cores",
        ),
        Goal(
            "µs of a fresh text beyond the model's own time",
            around_model,
            "≤ 300",
            around_model <= 300,
            f"front {fresh.p50:.0f} µs, grpcio {python_fresh.p50:.0f} µs, the model alone {model.p50:.0f} µs",
        ),
        *(
            Goal(
                f"µs that a {name} and TLS add at p50",
                added,
                "≤ 15",
                added <= 15,
                f"{measured[both, guarded].p50:.0f} µs and {unguarded.p50:.0f} µs; TLS alone "
                f"{measured.added(both, 'front, TLS', 'front, open'):.0f} µs",
            )
            for name in ("key", "token")
            for guarded in (f"front, {name} and TLS",)
            for added in (measured.added(both, guarded, "front, open"),)
        ),
        Goal(
            "× p50 with log, metrics and traces",
            watching,
            "≤ 1.05",
            watching <= 1.05,
            f"{watched.p50:.0f} µs and {unwatched.p50:.0f} µs; "
            f"CPU a call {watched.server_cpu:.0f} µs and {unwatched.server_cpu:.0f} µs",
        ),
        Goal(
            "relayed call, µs",
            relayed.p50,
            f"≤ 1.3 × direct + 150 = {relay_goal:.0f}",
            relayed.p50 <= relay_goal,
            f"direct {direct.p50:.0f} µs",
        ),
        Goal(
            "overload: broken calls and statuses but RESOURCE_EXHAUSTED",
            float(overload.broken + sum(others.values())),
            "0",
            overload.broken + sum(others.values()) == 0,
            f"answered {overload.per_second:,.0f} a second; refused with RESOURCE_EXHAUSTED "
            f"{overload.refusals.get('8', 0):,}; unanswered at the end {overload.unanswered:,}; "
            f"never sent, for want of a stream, {overload.unsent:,}",
        ),
        Goal("overload: × resident memory", growth, "≤ 1.2", growth <= 1.2),
    ]
