"""The keys of tokens: from a file, from an issuer, and what happens when they change."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mnemic import _core
from mnemic.engine import key_sets
from mnemic.engine.key_sets import KeySetKeeper
from mnemic.engine.settings import JwtSettings, load_settings
from mnemic.model.errors import MnemicError

# Ed25519, made for these tests; the tokens are of the reader `a` or `b` in the tenant default, and good until 2100.
PUBLIC = {"a": "QB2_9_fktbwEUA8vgUcXGdZDtXfravfeb1YmYpIABAo", "b": "FlJRRnNVM9MDUpEYqufp2UfxYOouN5-OcYE7JaWUNM0"}
TOKENS = {
    "a": "eyJhbGciOiAiRWREU0EiLCAia2lkIjogImEifQ."
    "eyJzdWIiOiAiYSIsICJ0ZW5hbnQiOiAiZGVmYXVsdCIsICJyb2xlIjogInJlYWQiLCAiZXhwIjogNDEwMjQ0NDgwMH0."
    "wdd98mPzL1IEiaaFZt7IeR_hRjJoTrG7rmgYd9oPK8ZWSfYrwoTYu2NJeruLppWguvnuGC8Eqej2E8aHvhI8Bg",
    "b": "eyJhbGciOiAiRWREU0EiLCAia2lkIjogImIifQ."
    "eyJzdWIiOiAiYiIsICJ0ZW5hbnQiOiAiZGVmYXVsdCIsICJyb2xlIjogInJlYWQiLCAiZXhwIjogNDEwMjQ0NDgwMH0."
    "SwjTorubXuc1hbg00DLVvsSrqDLDCadMPqXYyPrOZ38XFNimJxb-3hbn0-JxCBKDjxWp0HbaHlbfi5G3fCpcAQ",
}
WAIT_SECONDS = 10.0


def key_set(*names: str) -> str:
    keys = [{"kty": "OKP", "crv": "Ed25519", "kid": name, "x": PUBLIC[name]} for name in names]
    return json.dumps({"keys": keys})


def authenticator() -> _core.Authenticator:
    rules = _core.TokenRules(
        algorithms=["EdDSA", "HS256"],
        issuer=None,
        audiences=[],
        leeway_seconds=0,
        tenant_claim="tenant",
        default_tenant=None,
        role_claim="role",
        roles={},
        default_role=None,
        scope_claims={},
    )
    made = _core.Authenticator(tokens=rules)
    made.insert_tenant("default")
    return made


def is_good(made: _core.Authenticator, name: str) -> bool:
    try:
        return made.authenticate(f"Bearer {TOKENS[name]}".encode(), time.time_ns() // 1000).subject == name
    except _core.AccessError:
        return False


def becomes_good(made: _core.Authenticator, name: str) -> bool:
    end = time.monotonic() + WAIT_SECONDS
    while not is_good(made, name):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Issuer:
    """Serves a key set over HTTP on this machine."""

    def __init__(self) -> None:
        # Both at once: the reader may ask between two assignments.
        self.answer = (200, key_set("a"))
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                status, document = issuer.answer
                self.send_response(status)
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(document.encode())

            def log_message(self, *_arguments: object) -> None:
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def keep():
    """Keeps the keys of an authenticator by settings."""
    keepers = []

    def make(**fields) -> _core.Authenticator:
        settings = JwtSettings(unknown_key_seconds=1, refresh_seconds=3600, **fields)
        keeper = KeySetKeeper(made := authenticator(), settings)
        keepers.append(keeper)
        keeper.start()
        return made

    yield make
    for keeper in keepers:
        keeper.stop()


def test_a_file_is_read(tmp_path, keep):
    (tmp_path / "keys.json").write_text(key_set("a"))
    made = keep(key_set=str(tmp_path / "keys.json"))
    assert is_good(made, "a")
    assert not is_good(made, "b")


@pytest.mark.parametrize("contents", [None, "", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}'])
def test_a_file_that_is_no_key_set_is_refused_at_the_start(tmp_path, keep, contents):
    path = tmp_path / "keys.json"
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(MnemicError) as caught:
        keep(key_set=str(path))
    assert [violation.field for violation in caught.value.violations] == ["authentication.jwt.key_set"]


def test_an_unknown_key_makes_the_issuer_be_asked_again_but_not_each_time(issuer, keep):
    made = keep(key_set=issuer.url)
    assert is_good(made, "a")
    for _ in range(50):
        assert not is_good(made, "b")
    issuer.answer = (200, key_set("a", "b"))
    assert becomes_good(made, "b")
    assert is_good(made, "a")
    assert issuer.asked <= 4


def test_a_key_that_the_issuer_withdraws_is_worthless(issuer, keep):
    made = keep(key_set=issuer.url)
    assert is_good(made, "a")
    issuer.answer = (200, key_set("b"))
    assert becomes_good(made, "b")
    assert not is_good(made, "a")


def test_an_issuer_that_is_away_costs_nothing_that_was_there(issuer, keep):
    made = keep(key_set=issuer.url)
    for status, document in ((500, "oops"), (200, "no JSON"), (302, key_set("b")), (200, " " * (1 << 21))):
        asked, issuer.answer = issuer.asked, (status, document)
        end = time.monotonic() + WAIT_SECONDS
        while issuer.asked == asked and time.monotonic() < end:
            assert not is_good(made, "b")
            time.sleep(0.02)
        assert issuer.asked > asked
        assert is_good(made, "a")
    issuer.answer = (200, key_set("a", "b"))
    assert becomes_good(made, "b")


def test_a_start_does_not_wait_for_an_issuer_that_is_away(issuer, keep):
    issuer.answer = (503, key_set("a"))
    made = keep(key_set=issuer.url)
    assert not is_good(made, "a")
    issuer.answer = (200, key_set("a"))
    assert becomes_good(made, "a")


def test_keys_come_over_a_channel_that_nobody_can_change(keep):
    made = keep(key_set="http://keys.example/jwks", fetch_seconds=0.5)
    assert not is_good(made, "a")
    with pytest.raises(key_sets._UnreadableError, match="https"):
        key_sets.read_key_set("http://keys.example/jwks", 1)
    with pytest.raises(key_sets._UnreadableError, match="https"):
        key_sets.read_key_set("file:///etc/passwd", 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "jwt"}, "key_set"),
        ({"mode": "jwt", "jwt": {"secret": "short", "algorithms": ["HS256"]}}, "shorter than 32"),
        ({"mode": "jwt", "jwt": {"secret": "x" * 32}}, "HS256 is not among"),
        ({"jwt": {"algorithms": ["none"]}}, "algorithms"),
        ({"jwt": {"algorithms": []}}, "algorithms"),
        ({"mode": "anything"}, "mode"),
        ({"requests_per_second": 0}, "requests_per_second"),
    ],
)
def test_settings_that_would_let_nobody_or_anybody_in_are_refused(fields, words):
    with pytest.raises(MnemicError, match=words):
        load_settings(authentication=fields)


def test_a_secret_is_not_shown():
    settings = JwtSettings(algorithms=("HS256",), secret="x" * 40)
    assert "xxxx" not in repr(settings)
