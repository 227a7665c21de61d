"""What detectors find: what issuers made by their rules, and not what only looks like it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.defence.labelled import INSTRUCTIONS, NO_INSTRUCTIONS, POSITIVES, labelled
from mnemic.defence.findings import PERSONAL_DATA_KINDS, SECRET_KINDS, ContentKind, Finding, merged
from mnemic.defence.instructions import reads_as_instruction
from mnemic.defence.screening import Screen, mark_of
from mnemic.model.defence import ContentAction

REDACT = Screen(dict.fromkeys(ContentKind, ContentAction.REDACT), ("US",))
SEED = 11
LABELLED = labelled(SEED, 60)


def redacted(text: str) -> str:
    return REDACT.screen(text).text


@pytest.mark.parametrize("kind", [kind for kind, _, _ in POSITIVES])
def test_every_value_of_a_kind_is_covered_whole_and_named(kind):
    of_kind = [item for item in LABELLED if item.kind == kind]
    missed = [
        item.text for item in of_kind if Finding(ContentKind(kind), item.start, item.end) not in REDACT.find(item.text)
    ]
    # A token or an account may be announced as a password, too; what is known by its form names it.
    assert len(missed) <= len(of_kind) // 50, missed


def test_nothing_is_found_in_what_only_looks_so():
    wrong = [item.text for item in LABELLED if not item.kind and REDACT.find(item.text)]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("My card is 4111 1111 1111 1111, ok?", "My card is [redacted: payment card], ok?"),
        ("4111111111111112", "4111111111111112"),
        ("IBAN DE89 3704 0044 0532 0130 00 and more", "IBAN [redacted: bank account] and more"),
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        ("postgres://anna:s3cr3tPw@db:5432/x", "postgres://anna:[redacted: connection password]@db:5432/x"),
        ("postgres://user:password@db/x", "postgres://user:password@db/x"),
        ("Write to Ana.Li+x@mail.co.uk, please.", "Write to [redacted: email address], please."),
        ("email:ana@mail.org", "email:[redacted: email address]"),
        ("ana@example.com, b@mail.example, c@latest.test", "ana@example.com, b@mail.example, c@latest.test"),
        ("ana@myexample.com", "[redacted: email address]"),
        ("https://shop.org?mail=ana@mail.org", "https://shop.org?mail=[redacted: email address]"),
        (
            "git@github.com:us/it.git, icon@2x.png, lodash@4.17.21",
            "git@github.com:us/it.git, icon@2x.png, lodash@4.17.21",
        ),
        (
            "from 8.8.8.8 and 192.168.0.1, version 1.2.3.4",
            "from [redacted: ip address] and 192.168.0.1, version 1.2.3.4",
        ),
        ("my password is Tr0ub4dor&3.", "my password is [redacted: credential]."),
        ("my password is difficult", "my password is difficult"),
        ("NHS number 943 476 5919", "NHS number [redacted: national id]"),
        ("order 0678334046 SSN 546.789.986-40", "order 0678334046 SSN [redacted: national id]"),
        ("ticket 943 476 5919", "ticket 943 476 5919"),
        ("call 415 555 2671 today", "call [redacted: phone number] today"),
        ("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", "[redacted: api token]"),
        ("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"),
        ("-----BEGIN PRIVATE KEY----- is how they begin", "-----BEGIN PRIVATE KEY----- is how they begin"),
        ("eyJhIjoxfQ.eyJhIjoxfQ.AAAA has no algorithm", "eyJhIjoxfQ.eyJhIjoxfQ.AAAA has no algorithm"),
    ],
)
def test_what_a_check_tells_apart(text, kept):
    assert redacted(text) == kept


def test_a_private_key_goes_to_its_end_also_when_that_is_cut_off():
    lines = ["Ab3" * 21 + "=" for _ in range(4)]
    for end in ("-----END RSA PRIVATE KEY-----", ""):
        text = "\n".join(["Mine:", "-----BEGIN RSA PRIVATE KEY-----", *lines, end]).rstrip()
        assert redacted(text) == "Mine:\n[redacted: private key]"


def test_where_two_overlap_all_that_either_covers_goes():
    first, second, apart = (
        Finding(ContentKind.EMAIL_ADDRESS, 2, 8),
        Finding(ContentKind.API_TOKEN, 5, 12),
        Finding(ContentKind.PAYMENT_CARD, 12, 20),
    )
    assert list(merged([apart, second, first])) == [Finding(ContentKind.API_TOKEN, 2, 12), apart]


def test_kinds_that_are_kept_are_not_looked_for():
    only_cards = Screen({ContentKind.PAYMENT_CARD: ContentAction.REDACT})
    assert only_cards.screen("a@mail.org 4111111111111111").text == "a@mail.org [redacted: payment card]"
    assert Screen(dict.fromkeys(ContentKind, ContentAction.KEEP)).looks_for_nothing


def test_each_kind_is_a_secret_or_personal_data():
    assert set(ContentKind) == SECRET_KINDS | PERSONAL_DATA_KINDS
    assert not SECRET_KINDS & PERSONAL_DATA_KINDS


PIECES = st.one_of(st.sampled_from([item.text for item in LABELLED]), st.text(max_size=40))


@given(st.lists(PIECES, max_size=4).map(" ".join))
@example("1 " * 200 + "a")
@example("eyJ" * 300)
@example("postgres://anna:G0CWVgpJPLLRBzzqa#B7@db.internal:5432/app")
@example("IBAN: NL22BXLN0678334046 SSN 546.789.986-40")
def test_findings_lie_in_the_text_and_a_redacted_text_is_left_as_it_is(text):
    for finding in REDACT.find(text):
        assert 0 <= finding.start < finding.end <= len(text)
    once = redacted(text)
    assert redacted(once) == once


@given(st.sampled_from([item for item in LABELLED if item.kind]), st.sampled_from(["", "\n", " — ", "\u00a0"]))
def test_no_value_is_left_in_a_redacted_text(item, around):
    value = item.text[item.start : item.end]
    left = redacted(f"before{around} {item.text} {around}after")
    assert value not in left or not REDACT.find(item.text)


@pytest.mark.parametrize("kind", ContentKind)
def test_a_mark_is_nothing_to_be_found(kind):
    for form in ("{}", "password={}", "token: {}", "mail {}@mail.org"):
        text = form.format(mark_of(kind))
        assert redacted(text) == text


@pytest.mark.parametrize("text", INSTRUCTIONS)
def test_what_addresses_a_model_reads_so_however_it_is_hidden(text):
    assert reads_as_instruction(text)


@pytest.mark.parametrize("text", NO_INSTRUCTIONS)
def test_what_is_said_to_people_does_not(text):
    assert not reads_as_instruction(text)
