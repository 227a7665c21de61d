"""Personal data that a pattern can find: by its form, by its checksum where it has one, else by the words before it.

Checksums and forms are those of python-stdnum and phonenumbers. Every search is linear in the length of the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import phonenumbers
from stdnum import iban, luhn

from mnemic.defence.findings import ContentKind, Finding
from mnemic.defence.national_ids import find_national_ids

# Digits in groups, as cards, accounts and telephone numbers are written.
_SEVEN_DIGITS = re.compile(r"\d(?:[ .\-/()\u00a0]{0,2}+\d){6}")
_DIGIT_RUN = re.compile(r"(?<![\w+])\d(?:[ .\-\u00a0]?\d)*+")
_NOT_DIGIT = re.compile(r"\D")
_LEAST_CARD, _MOST_CARD = 14, 19

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ \-]?[A-Za-z0-9])")
_IBAN_REST = re.compile(r"[A-Za-z0-9]{1,4}(?:[ \-]?[A-Za-z0-9]){0,33}")
_LEAST_IBAN, _MOST_IBAN = 15, 34

# Of what RFC 5322 allows, what is met in addresses; the rest is met around them, in programs and templates.
_LOCAL_PART = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.%&'+_-")
# `icon@2x.png` is a picture.
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json"})
# Set aside for examples and tests (RFC 2606, RFC 6761): nobody's.
_NOBODYS = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|invalid|test|localhost)$", re.IGNORECASE)
_LONGEST_LOCAL_PART = 64
_DOMAIN = re.compile(r"(?:[^\W_]|-){1,63}+(?:\.(?:[^\W_]|-){1,63}+){1,8}+")

_IN_URL = re.compile(r"://[^\s/@?#]{0,64}+$")

_DOTTED = re.compile(r"(?<![\w.\-/])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)")
_COLONED = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}+(?![\w:])")
_VERSION = re.compile(r"(?:version|release|v|firmware|build)[ :]{0,2}$", re.IGNORECASE)

_INTERNATIONAL = re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[ ().\-/\u00a0]{0,2}+\d){6,14}+(?!\w)")
_AMERICAN = re.compile(r"(?<![\w.\-+])(?:\([2-9]\d\d\)[ \-]?|[2-9]\d\d[\-.])[2-9]\d\d[\-.]\d{4}(?![\w\-]|\.\d)")
_NATIONAL = re.compile(r"(?<![\w.\-+])\(?\d(?:[ ()\-./\u00a0]{0,2}+\d){6,13}+(?![\w\-]|\.\d)")
_CALLS = re.compile(
    r"\b(?:phone|tel|telephone|mobile|cell|cellphone|call|text|sms|whatsapp|fax|telefon|handy|téléphone|teléfono|móvil"
    r"|celular|telefone|numero|número|number)\b",
    re.IGNORECASE,
)
_WORDS_BEFORE = 40


def find_payment_cards(text: str) -> Iterator[Finding]:
    """Numbers of an issuer's range and length whose check digit (Luhn) is right, in one piece or in a card's groups."""
    for run in _DIGIT_RUN.finditer(text):
        if run.end() - run.start() < _LEAST_CARD:
            continue
        groups = [found.span() for found in re.finditer(r"\d+", run[0])]
        sizes = tuple(end - begin for begin, end in groups)
        place = 0
        while place < len(groups):
            taken = _card_at(sizes[place : place + 5])
            if taken:
                begin, end = groups[place][0], groups[place + taken - 1][1]
                behind = text[run.start() + end : run.start() + end + 1]
                if not behind.isalpha() and _is_card(_NOT_DIGIT.sub("", run[0][begin:end])):
                    yield Finding(ContentKind.PAYMENT_CARD, run.start() + begin, run.start() + end)
                    place += taken - 1
            place += 1


def _card_at(sizes: Sequence[int]) -> int:
    """How many of the next groups of digits could be a card; 0 if none could."""
    if _LEAST_CARD <= sizes[0] <= _MOST_CARD:
        return 1
    if sizes[:4] == (4, 4, 4, 4):
        return 5 if len(sizes) == 5 and sizes[4] <= 3 else 4
    if sizes[:3] in {(4, 6, 5), (4, 6, 4)}:
        return 3
    return 0


def _is_card(digits: str) -> bool:
    size, first, two, three, four = len(digits), digits[0], int(digits[:2]), int(digits[:3]), int(digits[:4])
    is_issued = (
        (first == "4" and size in {16, 19})  # Visa
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)  # Mastercard
        or (two in {34, 37} and size == 15)  # American Express
        or ((four == 6011 or 644 <= three <= 649 or two == 65) and 16 <= size <= 19)  # Discover
        or ((300 <= three <= 305 or two in {36, 38, 39}) and size == 14)  # Diners Club
        or (3528 <= four <= 3589 and 16 <= size <= 19)  # JCB
        or (two == 62 and 16 <= size <= 19)  # UnionPay
        or (2200 <= four <= 2204 and size == 16)  # Mir
        or (four in {5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763} and 14 <= size <= 19)  # Maestro
    )
    return is_issued and len(set(digits)) > 1 and luhn.is_valid(digits)


def find_bank_accounts(text: str) -> Iterator[Finding]:
    """IBANs whose check digits (ISO 7064, mod 97-10) and whose country's form are right, spaced or not."""
    done = 0
    for found in _IBAN_START.finditer(text):
        rest = _IBAN_REST.match(text, found.start())
        if found.start() < done or rest is None:
            continue
        characters, compact = rest[0], ""
        sizes = list(accumulate(character.isalnum() for character in characters))
        # It may end where a word ends; the longest that is one.
        ends = [
            place + 1
            for place, character in enumerate(characters)
            if character.isalnum()
            and _LEAST_IBAN <= sizes[place] <= _MOST_IBAN
            and not text[found.start() + place + 1 : found.start() + place + 2].isalnum()
        ]
        for end in reversed(ends):
            compact = characters[:end].replace(" ", "").replace("-", "").upper()
            if int(_digits_of(compact[4:] + compact[:4])) % 97 == 1 and iban.is_valid(compact):
                done = found.start() + end
                yield Finding(ContentKind.BANK_ACCOUNT, found.start(), done)
                break


def _digits_of(text: str) -> str:
    return "".join(str(int(character, 36)) for character in text)


def find_email_addresses(text: str) -> Iterator[Finding]:
    """What stands around an @, with a domain that has a name for its last part."""
    place = text.find("@")
    while place >= 0:
        start = place
        while start > max(0, place - _LONGEST_LOCAL_PART) and (
            text[start - 1] in _LOCAL_PART or (text[start - 1] > "\x7f" and text[start - 1].isalpha())
        ):
            start -= 1
        # Signs of a sentence, and of a URL, before it.
        while start < place and text[start] in ".'&%":
            start += 1
        domain = _DOMAIN.match(text, place + 1)
        if start < place and domain is not None and _is_mail(text, start, domain):
            yield Finding(ContentKind.EMAIL_ADDRESS, start, domain.end())
        place = text.find("@", place + 1)


def _is_mail(text: str, start: int, domain: re.Match[str]) -> bool:
    labels = domain[0].split(".")
    last = labels[-1].lower()
    if not last.isalpha() or len(last) < 2 or last in _FILES:
        return False
    if any(label[0] == "-" or label[-1] == "-" for label in labels) or _NOBODYS.search(domain[0]):
        return False
    # `git@host:path` is how repositories are addressed, `//user:password@host` how servers are.
    is_repository = text[start : domain.start()] == "git@" and text[domain.end() : domain.end() + 1] == ":"
    return not is_repository and _IN_URL.search(text, max(0, start - _LONGEST_LOCAL_PART), start) is None


def find_ip_addresses(text: str) -> Iterator[Finding]:
    """Addresses of the public internet: those of private networks, of this machine and of examples are nobody's."""
    if text.count(".") >= 3:
        for found in _DOTTED.finditer(text):
            if _VERSION.search(text, max(0, found.start() - 12), found.start()) is None and _is_global(found[0]):
                yield Finding(ContentKind.IP_ADDRESS, *found.span())
    if text.count(":") >= 2:
        for found in _COLONED.finditer(text):
            written = found[0].rstrip(":") if not found[0].endswith("::") else found[0]
            if written.count(":") >= 2 and _is_global(written):
                yield Finding(ContentKind.IP_ADDRESS, found.start(), found.start() + len(written))


def _is_global(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).is_global
    except ValueError:
        return False


def find_phone_numbers(text: str, regions: Sequence[str]) -> Iterator[Finding]:
    """Numbers that could be called, by each country's plan: with their country's code, in the North American form, or
    after a word such as "call" by the plans of some regions.

    Args:
        text: Where.
        regions: By whose plans numbers without a country's code are read: ISO 3166, such as `US`.
    """
    for found in _INTERNATIONAL.finditer(text):
        number = found[0] if found[0][0] == "+" else "+" + found[0][2:]
        if _can_be_called(number, None):
            yield Finding(ContentKind.PHONE_NUMBER, *found.span())
    if not regions:
        return
    for found in _AMERICAN.finditer(text):
        if any(_can_be_called(found[0], region) for region in regions):
            yield Finding(ContentKind.PHONE_NUMBER, *found.span())
    if _CALLS.search(text) is None:
        return
    for found in _NATIONAL.finditer(text):
        if _CALLS.search(text, max(0, found.start() - _WORDS_BEFORE), found.start()) is not None and any(
            _can_be_called(found[0], region) for region in regions
        ):
            yield Finding(ContentKind.PHONE_NUMBER, *found.span())


def _can_be_called(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def find_personal_data(
    text: str, kinds: frozenset[ContentKind], phone_regions: Sequence[str] = ()
) -> Iterator[Finding]:
    """The personal data of some kinds in a text; findings may overlap."""
    if ContentKind.EMAIL_ADDRESS in kinds and "@" in text:
        yield from find_email_addresses(text)
    if ContentKind.IP_ADDRESS in kinds:
        yield from find_ip_addresses(text)
    if ContentKind.NATIONAL_ID in kinds:
        yield from find_national_ids(text)
    if _SEVEN_DIGITS.search(text) is None:
        return
    if ContentKind.BANK_ACCOUNT in kinds:
        yield from find_bank_accounts(text)
    if ContentKind.PAYMENT_CARD in kinds:
        yield from find_payment_cards(text)
    if ContentKind.PHONE_NUMBER in kinds:
        yield from find_phone_numbers(text, phone_regions)
