"""A program that wraps and unwraps in the place of a master key."""

from __future__ import annotations

import sys
import textwrap
from contextlib import closing

import pytest
from store_support import ENCRYPTION, add, memory_of

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.sqlite import open_sqlite

# A KMS of a test: it hides a key behind a fixed pad, under a name, and notes what it was asked.
KMS = """
import base64, json, sys
from pathlib import Path
request = json.loads(sys.stdin.readline())
with Path(sys.argv[1]).open("a") as log:
    log.write(json.dumps([request["protocol"], request["operation"], request["key_name"]]) + "\\n")
data = bytes(byte ^ 0x5A for byte in base64.b64decode(request["data"]))
print(json.dumps({"data": base64.b64encode(data).decode(), "key_name": "arn:test"}))
"""


def program(tmp_path, text, *arguments, seconds=10.0):
    path = tmp_path / "kms.py"
    path.write_text(textwrap.dedent(text))
    return EncryptionSettings(
        key_command=(sys.executable, str(path), *map(str, arguments)), key_command_seconds=seconds
    )


def test_a_store_opens_by_what_the_program_unwraps(tmp_path):
    log = tmp_path / "log"
    settings = program(tmp_path, KMS, log)
    memory = memory_of("mine")
    for _ in range(2):
        with closing(open_sqlite(tmp_path / "data", encryption=settings)) as store:
            if not store.revision():
                add(store, memory)
            assert store.get("t", [memory.memory_id])[memory.memory_id].body == "mine"
    # One question at each start, and none for a request.
    wrap, unwrap = '[1, "wrap", ""]', '[1, "unwrap", "arn:test"]'
    assert log.read_text().splitlines() == [wrap, unwrap, unwrap]
    with pytest.raises(MnemicError, match="command:arn:test"):
        open_sqlite(tmp_path / "data", encryption=ENCRYPTION)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys; sys.stderr.write('no such key'); sys.exit(3)", r"could not wrap \(exit status 3\): no such key"),
        ("print('{}')", "answered to wrap with something else"),
        ("print('[]')", "answered to wrap with something else"),
        ("print('no json')", "answered to wrap with something else"),
        ("""print('{"data": "*"}')""", "answered to wrap with something else"),
        ("import time; time.sleep(60)", "did not wrap within 0.5 s"),
        ("""print('{"data": "AAAA"}')""", "unwrapped 3 bytes where 32 had been wrapped"),
    ],
    ids=["fails", "empty", "list", "garbage", "no base64", "hangs", "short"],
)
def test_a_program_that_fails_is_said_to_and_nothing_is_made(tmp_path, text, told):
    settings = program(tmp_path, text, seconds=0.5 if "sleep" in text else 10.0)
    with pytest.raises(MnemicError, match=told) as caught:
        open_sqlite(tmp_path / "data", encryption=settings)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert not (tmp_path / "data" / "keys.db").exists()


def test_a_program_that_is_not_there_is_named(tmp_path):
    settings = EncryptionSettings(key_command=("/nowhere/kms",))
    with pytest.raises(MnemicError, match="/nowhere/kms cannot be run"):
        open_sqlite(tmp_path / "data", encryption=settings)
