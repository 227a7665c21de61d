"""The fault campaign in short; `make chaos` runs it at length."""

import pytest
from chaos import SETTINGS, Campaign

KILLS = 8


@pytest.mark.timeout(600)
def test_a_server_that_is_killed_again_and_again_keeps_its_word(tmp_path, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    campaign = Campaign(tmp_path / "data", seed=7)
    for _ in range(KILLS):
        campaign.kill_once()
    campaign.finish()
    counts = campaign.counts()
    assert all(counts[name] for name in ("add", "supersede", "update", "delete", "erase memory", "retention")), counts
