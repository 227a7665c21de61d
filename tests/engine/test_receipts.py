"""Receipts: one document has one form, and only what the key signed verifies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.engine.receipts import FORMAT, Signer, canonical_json, key_id, receipt_from_json, receipt_to_json, verify
from mnemic.model.erasure import ErasureReceipt
from mnemic.model.errors import MnemicError

NAMES = st.text(st.characters(codec="ascii"), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**53 - 1), 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
)


def signed(document: dict) -> ErasureReceipt:
    signer = Signer(None)
    data = canonical_json({"format": FORMAT} | document)
    return ErasureReceipt(
        document=data, signature=signer.sign(data), public_key=signer.public_key, key_id=key_id(signer.public_key)
    )


def test_the_form_is_that_of_rfc_8785():
    """Names sorted, no white space, the short escapes of ECMAScript, everything else as it is (3.2.2 and 3.2.3)."""
    value = {"b": [1, True, None, -7], "a": '\u20ac$\u000f\nA\'B"\\\\"/\u007f', "A": {}, "": []}
    expected = '{"":[],"A":{},"a":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f","b":[1,true,null,-7]}'
    assert canonical_json(value) == expected.encode()


@given(VALUES)
def test_a_value_has_one_form_that_says_all_of_it(value):
    form = canonical_json(value)
    assert json.loads(form) == value
    assert canonical_json(json.loads(form)) == form


@pytest.mark.parametrize("value", [1.5, 2**53, {1: 2}, {"ü": 1}, {"a": {1, 2}}, "\ud800"])
def test_what_has_no_certain_form_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)


def test_a_receipt_survives_its_file_and_verifies():
    receipt = signed({"reason": "Übermut"})
    again = receipt_from_json(receipt_to_json(receipt))
    assert again == receipt
    assert verify(again, receipt.public_key)["reason"] == "Übermut"


@pytest.mark.parametrize(
    "change",
    [
        lambda receipt: replace(receipt, document=receipt.document.replace(b"x", b"y")),
        lambda receipt: replace(receipt, signature=bytes(64)),
        lambda receipt: replace(receipt, signature=b"short"),
        lambda receipt: replace(receipt, public_key=Signer(None).public_key),
        lambda receipt: replace(receipt, public_key=b"short"),
        lambda receipt: replace(receipt, key_id="0" * 16),
    ],
)
def test_a_receipt_that_was_changed_does_not_verify(change):
    receipt = change(signed({"reason": "x"}))
    with pytest.raises(MnemicError, match="does not verify"):
        verify(receipt)


def test_a_receipt_of_another_key_does_not_verify_by_the_trusted_one():
    with pytest.raises(MnemicError, match="does not verify"):
        verify(signed({}), Signer(None).public_key)


def test_the_key_is_kept_for_its_owner_alone(tmp_path):
    first, again = Signer(tmp_path), Signer(tmp_path)
    assert first.public_key == again.public_key
    assert (tmp_path / "erasure" / "signing.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "erasure" / "signing.key").write_bytes(b"short")
    with pytest.raises(MnemicError, match="holds no key"):
        Signer(tmp_path)
