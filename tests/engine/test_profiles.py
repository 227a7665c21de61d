"""Which profile a search has, and what a profile stands for."""

from typing import get_args

import pytest

from mnemic.engine.profiles import PROFILES, Profiles, default_profile
from mnemic.engine.settings import SearchSettings, Settings
from mnemic.model.errors import MnemicError
from mnemic.model.scope import Scope
from mnemic.model.search import SIGNALS, SearchRequest, SignalWeights


def searching(**fields):
    return SearchRequest(scope=Scope(user_id="u"), query="tea", **fields)


@pytest.mark.parametrize(
    ("provider", "named", "expected"),
    [
        ("minilm", None, "balanced"),
        ("openai", None, "balanced"),
        ("static", None, "fast"),
        ("static", "balanced", "balanced"),
        ("minilm", "precise", "precise"),
    ],
)
def test_the_default_suits_the_embedding_model_unless_a_setting_names_one(provider, named, expected):
    settings = Settings(embedding={"provider": provider}, search={"profile": named})
    assert default_profile(settings) == expected


def test_a_search_that_names_none_has_the_default_and_its_own_weights_win():
    profiles = Profiles("fast")
    assert profiles.weighing(searching()) is profiles.weighing(searching(profile="fast"))
    assert profiles.weighing(searching()).wants_vector
    own = profiles.weighing(searching(weights=SignalWeights(vector=0.0)))
    assert not own.wants_vector
    assert own.candidates == PROFILES["fast"].candidates


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(MnemicError, match="'best' is unknown; there are balanced, fast, lexical, precise, semantic"):
        Profiles("balanced").weighing(searching(profile="best"))


def test_profiles_have_every_weight_and_settings_take_each_of_them():
    assert all(getattr(profile.weights, name) is not None for profile in PROFILES.values() for name in SIGNALS)
    accepted, _ = get_args(SearchSettings.model_fields["profile"].annotation)
    assert set(get_args(accepted)) == set(PROFILES)
