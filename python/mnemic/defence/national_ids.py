"""Numbers by which states know people: by their own form and check digits, or by the words before them.

The checks are python-stdnum's. A number that is nothing but digits and has one check digit is right by chance in one
of ten cases, so such a number counts only behind words that announce it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.ie import pps
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ssn

from mnemic.defence.findings import ContentKind, Finding

# Where a number of six digits or more may begin, with what may stand between and at its ends. It takes in nothing: of two
# numbers side by side the second begins within what could be the first.
_CANDIDATE = re.compile(r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][.\-+/])(?=[A-Za-z]{0,6}\d(?:[ .\-+/]?[A-Za-z0-9]){5,22}+)")
_SIX_DIGITS = re.compile(r"\d(?:[ .\-+/]?[A-Za-z]{0,3}\d){5}")
_WORDS_BEFORE = 48


@dataclass(frozen=True, slots=True)
class _Form:
    """How the numbers of one register look.

    Attributes:
        pattern: In full.
        is_valid: Whether its parts and check digits agree.
        words: One of them must stand before it; none where the form and its checks are enough.
    """

    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    words: re.Pattern[str] | None = None


def _form(pattern: str, is_valid: Callable[[str], bool], words: str = "") -> _Form:
    announced = re.compile(rf"\b(?:{words})\b", re.IGNORECASE) if words else None
    return _Form(re.compile(pattern), is_valid, announced)


def _has_no_check(_number: str) -> bool:
    return True


_FORMS = (
    _form(r"\d{3}-\d{2}-\d{4}", ssn.is_valid),
    _form(r"\d{3}[ ]?\d{2}[ ]?\d{4}", ssn.is_valid, "ssn|social security"),
    _form(r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),
    _form(r"\d{11}", cpf.is_valid, "cpf"),
    _form(r"[12] ?\d{2} ?\d{2} ?\d[\dABab] ?\d{3} ?\d{3} ?\d{2}", nir.is_valid),
    _form(r"\d{8}-?[A-Za-z]", dni.is_valid),
    _form(r"[XYZxyz]-?\d{7}-?[A-Za-z]", nie.is_valid),
    _form(r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]", codicefiscale.is_valid),
    _form(r"[A-Za-z]{4}\d{6}[HMhm][A-Za-z]{5}[A-Za-z0-9]\d", curp.is_valid),
    _form(r"\d{17}[\dXx]", ric.is_valid),
    _form(r"\d{6}-\d{7}", rrn.is_valid),
    _form(r"\d{6}(?:\d{2})?[\-+]\d{4}", personnummer.is_valid),
    _form(r"\d{6}[\-+A-FU-Ya-fu-y]\d{3}[0-9A-Ya-y]", hetu.is_valid),
    _form(r"\d{6} ?\d{5}", fodselsnummer.is_valid, "fødselsnummer|fodselsnummer|personnummer|national id"),
    _form(r"\d{6}-?\d{4}", cpr.is_valid, "cpr|personnummer"),
    _form(r"\d{11}", pesel.is_valid, "pesel"),
    _form(r"\d{2}\.\d{2}\.\d{2}[-.]\d{3}[-.]\d{2}", nn.is_valid),
    _form(r"\d{11}", nn.is_valid, "rijksregisternummer|numéro national|national number|nrn"),
    _form(r"756\.?\d{4}\.?\d{4}\.?\d{2}", ahv.is_valid),
    _form(r"\d{4}\.?\d{2}\.?\d{3}|\d{9}", bsn.is_valid, "bsn|burgerservicenummer|sofinummer"),
    _form(r"\d{3}[ -]?\d{3}[ -]?\d{4}", nhs.is_valid, "nhs"),
    # It has no check digit; HM Revenue & Customs says which letters it may have.
    _form(
        r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]) ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]",
        _has_no_check,
        "national insurance|nino|ni number|ni no",
    ),
    _form(r"\d{3}[ -]?\d{3}[ -]?\d{3}", sin.is_valid, "sin|social insurance"),
    _form(r"\d{2} ?\d{3} ?\d{3} ?\d{3}", idnr.is_valid, "steuer-?id|steueridentifikationsnummer|idnr|tax id"),
    _form(r"\d{3} ?\d{3} ?\d{3}", tfn.is_valid, "tfn|tax file"),
    _form(r"\d{11}", tckimlik.is_valid, "tc|kimlik|tckn"),
    _form(r"\d{13}", cnp.is_valid, "cnp"),
    _form(r"\d{4}[ -]?\d{4}[ -]?\d{4}", aadhaar.is_valid, "aadhaar|aadhar|uid"),
    _form(r"[A-Za-z]{5}\d{4}[A-Za-z]", pan.is_valid, "pan"),
    _form(r"\d{7}[A-Wa-w][A-IWa-iw]?", pps.is_valid, "pps|ppsn"),
)


def find_national_ids(text: str) -> Iterator[Finding]:
    """The numbers of registers in a text."""
    if _SIX_DIGITS.search(text) is None:
        return
    done = 0
    for found in _CANDIDATE.finditer(text):
        if found.start() < done:
            continue
        before = text[max(0, found.start() - _WORDS_BEFORE) : found.start()]
        for form in _FORMS:
            if form.words is not None and form.words.search(before) is None:
                continue
            whole = form.pattern.match(text, found.start())
            if whole is None or text[whole.end() : whole.end() + 1].isalnum():
                continue
            if form.is_valid(whole[0]):
                yield Finding(ContentKind.NATIONAL_ID, *whole.span())
                done = whole.end()
                break
