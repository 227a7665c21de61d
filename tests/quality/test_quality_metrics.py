"""The metrics of bench-quality against values that were worked out by hand."""

from math import log2

import numpy as np
import pytest

from bench.quality.metrics import interval, measures, ranks_of


def test_evidence_has_the_rank_of_the_first_hit_that_brings_it():
    found = [("a",), ("b",), ("a", "c"), ("d",)]
    assert ranks_of(found, {"a", "c", "x"}) == [1, 3]


def test_a_hit_without_a_known_turn_takes_a_rank():
    assert ranks_of([(), ("a",)], {"a"}) == [2]


def test_measures_of_evidence_at_2_7_and_30_of_four():
    got = measures([2, 7, 30], 4)
    assert [got[f"recall@{cut}"] for cut in (1, 5, 10, 20, 50)] == [0.0, 0.25, 0.5, 0.5, 0.75]
    assert [got[f"hit@{cut}"] for cut in (1, 5, 10)] == [0.0, 1.0, 1.0]
    assert got["all@50"] == 0.0
    assert got["mrr"] == 0.5
    ideal = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5)
    assert got["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(8)) / ideal)


def test_everything_at_the_top_is_perfect():
    got = measures([1, 2], 2)
    assert (got["recall@1"], got["recall@5"], got["all@5"], got["mrr"], got["ndcg@10"]) == (0.5, 1.0, 1.0, 1.0, 1.0)


def test_nothing_found_is_nothing():
    got = measures([], 3)
    assert {value for name, value in got.items() if name != "most@10"} == {0.0}


def test_one_hit_that_brings_two_pieces_gains_once():
    assert measures([1, 1], 2)["recall@1"] == 1.0
    assert measures([1, 1], 2)["ndcg@10"] == pytest.approx(1 / (1 + 1 / log2(3)))


def test_more_evidence_than_the_cut_can_still_be_perfect():
    assert measures(list(range(1, 13)), 12)["ndcg@10"] == pytest.approx(1.0)


def test_more_evidence_than_hits_cannot_all_be_recalled() -> None:
    got = measures(list(range(1, 13)), 12)
    assert got["recall@10"] == got["most@10"] == pytest.approx(10 / 12)
    assert measures([], 10)["most@10"] == 1.0


def test_the_interval_of_equal_values_is_that_value():
    assert interval(np.full(20, 0.25)) == (0.25, 0.25)


def test_the_interval_holds_the_mean_and_has_the_width_of_its_standard_error():
    values = np.asarray([0.0, 1.0] * 200)
    low, high = interval(values)
    assert low < 0.5 < high
    # 1.96 standard errors on each side; 0.5 / √400 each.
    assert high - low == pytest.approx(2 * 1.96 * 0.025, rel=0.1)


def test_clusters_are_drawn_whole():
    values = np.asarray([0.0] * 10 + [1.0] * 10)
    # Two clusters: both are drawn, or one of them twice.
    assert interval(values, ["a"] * 10 + ["b"] * 10) == (0.0, 1.0)
