"""Secrets in texts: keys, tokens and passwords, known by their form and checked where there is something to check.

Every search is linear in the length of the text: repetitions are possessive or bounded, a token is looked at only from
its beginning, and what was looked for in vain is not looked for again.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator

from mnemic.defence.findings import ContentKind, Finding

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Nothing that this module looks for has a shorter longest word, but passwords that are named as such.
_LONG_WORD = re.compile(r"\S{16}")
_BEFORE_TOKEN = r"(?<![A-Za-z0-9_\-])"  # noqa: S105 (a pattern)
_AFTER_TOKEN = r"(?![A-Za-z0-9_\-])"  # noqa: S105 (a pattern)


def _checksum(text: str) -> str:
    """CRC-32 in base 62, six digits: how tokens of GitHub and npm end."""
    value, digits = zlib.crc32(text.encode()), ""
    while value:
        value, digit = divmod(value, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0")


def _has_checksum(token: str) -> bool:
    secret = token.partition("_")[2]
    return secret[-6:] == _checksum(secret[:-6])


def _is_varied(token: str) -> bool:
    """Not a form to fill in, such as `sk_live_xxxxxxxxxxxxxxxxxxxxxxxx`."""
    return len(set(token[8:])) >= 8


# How a token begins -> what it is, how the whole of it looks, and what else must hold. The prefixes are those that
# their issuers document so that tokens can be found.
_TOKENS: tuple[tuple[str, ContentKind, str, Callable[[str], bool] | None], ...] = (
    ("AKIA", ContentKind.CLOUD_ACCESS_KEY, r"AKIA[A-Z2-7]{16}", None),
    ("ASIA", ContentKind.CLOUD_ACCESS_KEY, r"ASIA[A-Z2-7]{16}", None),
    ("AIza", ContentKind.CLOUD_ACCESS_KEY, r"AIza[0-9A-Za-z_\-]{35}", _is_varied),
    ("ya29.", ContentKind.CLOUD_ACCESS_KEY, r"ya29\.[0-9A-Za-z_\-]{30,1024}+", _is_varied),
    ("GOCSPX-", ContentKind.CLOUD_ACCESS_KEY, r"GOCSPX-[0-9A-Za-z_\-]{28}", _is_varied),
    ("LTAI", ContentKind.CLOUD_ACCESS_KEY, r"LTAI[0-9A-Za-z]{12,20}+", _is_varied),
    ("dop_v1_", ContentKind.CLOUD_ACCESS_KEY, r"dop_v1_[0-9a-f]{64}", None),
    ("AccountKey=", ContentKind.CLOUD_ACCESS_KEY, r"AccountKey=[0-9A-Za-z+/]{86}==", None),
    ("ghp_", ContentKind.API_TOKEN, r"ghp_[0-9A-Za-z]{36}", _has_checksum),
    ("gho_", ContentKind.API_TOKEN, r"gho_[0-9A-Za-z]{36}", _has_checksum),
    ("ghu_", ContentKind.API_TOKEN, r"ghu_[0-9A-Za-z]{36}", _has_checksum),
    ("ghs_", ContentKind.API_TOKEN, r"ghs_[0-9A-Za-z]{36}", _has_checksum),
    ("ghr_", ContentKind.API_TOKEN, r"ghr_[0-9A-Za-z]{36}", _has_checksum),
    ("github_pat_", ContentKind.API_TOKEN, r"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}", _is_varied),
    ("npm_", ContentKind.API_TOKEN, r"npm_[0-9A-Za-z]{36}", _has_checksum),
    ("glpat-", ContentKind.API_TOKEN, r"glpat-[0-9A-Za-z_\-]{20,64}+", _is_varied),
    ("pypi-", ContentKind.API_TOKEN, r"pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_\-]{50,1024}+", None),
    ("xoxa-", ContentKind.API_TOKEN, r"xoxa-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xoxb-", ContentKind.API_TOKEN, r"xoxb-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xoxe-", ContentKind.API_TOKEN, r"xoxe-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xoxp-", ContentKind.API_TOKEN, r"xoxp-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xoxr-", ContentKind.API_TOKEN, r"xoxr-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xoxs-", ContentKind.API_TOKEN, r"xoxs-[0-9A-Za-z\-]{20,250}+", _is_varied),
    ("xapp-", ContentKind.API_TOKEN, r"xapp-[0-9A-Za-z\-]{40,250}+", _is_varied),
    (
        "hooks.slack.com",
        ContentKind.API_TOKEN,
        r"hooks\.slack\.com/services/T[0-9A-Z]{6,12}/B[0-9A-Z]{6,12}/\w{24}",
        None,
    ),
    ("sk_live_", ContentKind.API_TOKEN, r"sk_live_[0-9A-Za-z]{16,250}+", _is_varied),
    ("sk_test_", ContentKind.API_TOKEN, r"sk_test_[0-9A-Za-z]{16,250}+", _is_varied),
    ("rk_live_", ContentKind.API_TOKEN, r"rk_live_[0-9A-Za-z]{16,250}+", _is_varied),
    ("rk_test_", ContentKind.API_TOKEN, r"rk_test_[0-9A-Za-z]{16,250}+", _is_varied),
    ("whsec_", ContentKind.API_TOKEN, r"whsec_[0-9A-Za-z+/]{32,64}+", _is_varied),
    ("sk-ant-", ContentKind.API_TOKEN, r"sk-ant-(?:api|admin|sid)\d\d-[0-9A-Za-z_\-]{80,128}+", _is_varied),
    ("sk-or-v1-", ContentKind.API_TOKEN, r"sk-or-v1-[0-9a-f]{64}", None),
    # The signature in the middle of OpenAI's keys is "OpenAI" in base 64; the older ones have 48 characters in all.
    ("sk-", ContentKind.API_TOKEN, r"sk-[0-9A-Za-z_\-]{10,160}?T3BlbkFJ[0-9A-Za-z_\-]{20,160}+", None),
    ("sk-", ContentKind.API_TOKEN, r"sk-[0-9A-Za-z]{48}", _is_varied),
    ("hf_", ContentKind.API_TOKEN, r"hf_[A-Za-z]{34}", _is_varied),
    ("SG.", ContentKind.API_TOKEN, r"SG\.[0-9A-Za-z_\-]{22}\.[0-9A-Za-z_\-]{43}", _is_varied),
    ("shpat_", ContentKind.API_TOKEN, r"shpat_[0-9A-Fa-f]{32}", None),
    ("shpss_", ContentKind.API_TOKEN, r"shpss_[0-9A-Fa-f]{32}", None),
    ("sq0csp-", ContentKind.API_TOKEN, r"sq0csp-[0-9A-Za-z_\-]{43}", _is_varied),
    ("sq0atp-", ContentKind.API_TOKEN, r"sq0atp-[0-9A-Za-z_\-]{22}", _is_varied),
    ("dapi", ContentKind.API_TOKEN, r"dapi[0-9a-f]{32}", None),
    ("lin_api_", ContentKind.API_TOKEN, r"lin_api_[0-9A-Za-z]{40}", _is_varied),
    ("ntn_", ContentKind.API_TOKEN, r"ntn_[0-9A-Za-z]{46}", _is_varied),
    ("hvs.", ContentKind.API_TOKEN, r"hvs\.[0-9A-Za-z_\-]{24,250}+", _is_varied),
    ("dp.pt.", ContentKind.API_TOKEN, r"dp\.pt\.[0-9A-Za-z]{40,44}+", _is_varied),
    ("gsk_", ContentKind.API_TOKEN, r"gsk_[0-9A-Za-z]{52}", _is_varied),
    ("xai-", ContentKind.API_TOKEN, r"xai-[0-9A-Za-z]{80}", _is_varied),
    ("mnk_", ContentKind.API_TOKEN, r"mnk_[0-9A-Za-z_\-]{43}", _is_varied),
    ("AGE-SECRET-KEY-1", ContentKind.PRIVATE_KEY, r"AGE-SECRET-KEY-1[0-9A-Z]{58}", None),
)
_FORMS: dict[str, list[tuple[ContentKind, re.Pattern[str], Callable[[str], bool] | None]]] = {}
for _prefix, _kind, _form, _check in _TOKENS:
    _FORMS.setdefault(_prefix, []).append((_kind, re.compile(_form + _AFTER_TOKEN), _check))
# What must stand before it is looked at afterwards: a pattern that begins with letters is searched the fastest.
_PREFIX = re.compile("|".join(re.escape(prefix) for prefix in sorted(_FORMS, reverse=True)))
_OF_TOKEN = re.compile(r"[A-Za-z0-9_\-]")

# RFC 7519: the header is a JSON object, so it begins with `{"`, which is `eyJ` in base 64.
_JWT = re.compile(
    _BEFORE_TOKEN + r"eyJ([A-Za-z0-9_\-]{5,2048}+)\.[A-Za-z0-9_\-]{2,16384}+(?:\.[A-Za-z0-9_\-]{0,16384}+){1,3}+"
)
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = "-----END "
_PEM_LAST = re.compile(r"[A-Z0-9 ]{1,64}+-----")
_PEM_BODY = re.compile(r"(?:[\s:,]|\\[nr]|[A-Za-z0-9+/=\-]{16,}+)*+")
_LEAST_PEM_BODY = 40
_URL_PASSWORD = re.compile(r"://[^\s:/@\"'<>]{0,128}+:([^\s@/\"'<>]{3,256}+)@[A-Za-z0-9\[]")

_NAMED = ("passw", "passphrase", "pwd", "secret", "token", "api", "key", "credential")
# `aws_secret_access_key = "…"`, `"password": "…"`, `API-Key: …`, `my password is …`.
_ASSIGNMENT = re.compile(
    r"(?P<name>passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key"
    r"|signing[_\- ]?key|encryption[_\- ]?key|credential)[A-Za-z0-9_\-]{0,32}+[\"'\]`]{0,2}+"
    r"\s{0,4}+(?P<sign>=>|:=|[=:]|is\b|was\b)\s{0,4}+[\"'`]?",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^\s\"'`,;<>(){}\[\]]{6,256}+")
_NO_SECRET = re.compile(
    r"(?:https?|ftp|file)://|[$%]|\.{0,2}/|~/|\w{1,64}\.\w{1,64}\.\w{1,64}$|[xX*.#\-]{6}|[\d:.\-/]+$|(?:your|my|the|some|example)[_\-]",
)
# A value that is called or looked into is a name in a program.
_OF_CODE = frozenset({"(", "["})
_SIGNS = frozenset({"=", ":", ":=", "=>"})
_PASSWORD_NAMES = ("passw", "passphrase", "pwd")
# Shannon's entropy of the characters, in bits each: English words have 2.5 to 3.5 at these lengths, random ones more.
_LEAST_ENTROPY = 3.5
_LEAST_KEY = 16


def find_secrets(text: str) -> Iterator[Finding]:
    """The secrets in a text; they may overlap."""
    lower = text.lower()
    if any(name in lower for name in _NAMED):
        yield from _named(text)
    if _LONG_WORD.search(text) is None:
        return
    for found in _PREFIX.finditer(text):
        if found.start() and _OF_TOKEN.match(text, found.start() - 1):
            continue
        for kind, form, check in _FORMS[found[0]]:
            whole = form.match(text, found.start())
            if whole is not None and (check is None or check(whole[0])):
                yield Finding(kind, *whole.span())
                break
    if "eyJ" in text:
        yield from _web_tokens(text)
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    if "://" in text:
        for found in _URL_PASSWORD.finditer(text):
            if not _is_form(found[1]):
                yield Finding(ContentKind.CONNECTION_PASSWORD, *found.span(1))


def _web_tokens(text: str) -> Iterator[Finding]:
    for found in _JWT.finditer(text):
        encoded = "eyJ" + found[1]
        try:
            header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        except (binascii.Error, ValueError, RecursionError):
            continue
        if isinstance(header, dict) and isinstance(header.get("alg"), str):
            yield Finding(ContentKind.JSON_WEB_TOKEN, *found.span())


def _private_keys(text: str) -> Iterator[Finding]:
    # A text about keys has their first lines too; a key has a body.
    place, end = 0, 0
    while (found := _PEM.search(text, place)) is not None:
        begin, place = found.span()
        if 0 <= end < place:
            end = text.find(_PEM_END, place)
        if end >= 0:
            last = _PEM_LAST.match(text, end + len(_PEM_END))
            place = end + len(_PEM_END) if last is None else last.end()
            body = end - found.end()
        else:
            body_match = _PEM_BODY.match(text, place)
            place = place if body_match is None else body_match.end()
            body = place - found.end()
        if body >= _LEAST_PEM_BODY:
            yield Finding(ContentKind.PRIVATE_KEY, begin, place)


def _named(text: str) -> Iterator[Finding]:
    for found in _ASSIGNMENT.finditer(text):
        value = _VALUE.match(text, found.end())
        if value is None or text[value.end() : value.end() + 1] in _OF_CODE:
            continue
        # What ends a sentence is no part of it.
        secret = value[0].rstrip(".!?:")
        is_prose = found["sign"] not in _SIGNS
        if _is_password_in_prose(found["name"], secret) if is_prose else _is_secret(found["name"], secret):
            yield Finding(ContentKind.CREDENTIAL, value.start(), value.start() + len(secret))


def _is_secret(name: str, value: str) -> bool:
    if _is_form(value) or _NO_SECRET.match(value) is not None:
        return False
    classes = _classes(value)
    if name.lower().startswith(_PASSWORD_NAMES):
        is_mixed = classes >= 3 or (classes == 2 and any(map(str.isdigit, value)))
        return is_mixed and len(value) >= 8 and len(set(value)) >= 5
    return (
        len(value) >= _LEAST_KEY and classes >= 2 and any(map(str.isdigit, value)) and _entropy(value) >= _LEAST_ENTROPY
    )


def _is_password_in_prose(name: str, value: str) -> bool:
    """In a sentence the next word is a password only if no word looks like it."""
    return (
        name.lower().startswith(_PASSWORD_NAMES)
        and len(value) >= 8
        and _classes(value) >= 3
        and not _is_form(value)
        and _NO_SECRET.match(value) is None
    )


def _classes(value: str) -> int:
    """How many of lower case, upper case, digits and signs it has."""
    checks = (str.islower, str.isupper, str.isdigit)
    return sum(any(map(check, value)) for check in checks) + (not value.isalnum())


def _entropy(value: str) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


# Names of variables and of ways to hash, and what examples have in their place.
_FORM_WORDS = re.compile(
    r"passw(?:or)?d|passphrase|^(?:pass|pwd?|secret|token|user(?:name)?|change_?me|redacted)$"
    r"|^(?:pbkdf2|scrypt|bcrypt|argon2\w?|sha\d+|md5)(?:[:_]\w{0,16})?$"
)


def _is_form(value: str) -> bool:
    """A form to fill in, such as `<password>`, `${PASSWORD}`, `****`, or a mark of ours."""
    bare = value.strip("<>{}$%*[]_-.").lower()
    return not bare or len(set(bare)) <= 2 or value[0] in "$<{%*[" or _FORM_WORDS.search(bare) is not None
