"""What must be known of English verbs to speak of somebody in the third person."""

from __future__ import annotations

IRREGULAR_PASTS = frozenset(
    """ate awoke beat became began bent bet bit bled blew bore bought bound bred broke brought built burnt came cast
    caught chose clung crept cut dealt did dove drank dreamt drew drove dug fed fell felt fled flew fought found froze
    forgave forgot gave got grew ground had heard held hid hit hung hurt kept knelt knew laid lay learnt led left lent
    let lit lost made meant met mistook overcame overslept paid proved put quit ran rang read rebuilt redid rode rose
    said sang sank sat saw sent sewed set shook shone shot shut slept slid sold spent spilt spoke spoilt spread sprang
    stole stood stuck struck stung swam swept swore taught thought threw told took tore understood underwent upset was
    went were withdrew woke won wore wound wove wrote""".split()
)
"""Pasts that do not end in -ed. Those that look like the present ("put") are taken for pasts: people tell what they
did more often than what they habitually put."""

_PRESENT_IN_ED = frozenset("bleed breed embed exceed feed heed need proceed seed shed speed succeed wed weed".split())

_UNCHANGED = frozenset(
    """can cannot can't could couldn't may might mightn't must mustn't shall should shouldn't will won't would wouldn't
    used didn't hadn't wasn't weren't ought better""".split()
)

_OWN_FORMS = {
    "am": "is",
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "don't": "doesn't",
    "haven't": "hasn't",
    "aren't": "isn't",
    "ain't": "isn't",
    "go": "goes",
    "gotta": "has to",
    "wanna": "wants to",
}

_ADVERBS_WITHOUT_LY = frozenset(
    """also always almost already both ever even first hardly just longer never no not now often once only quite rather
    seldom so sometimes soon still then therefore though too usually very""".split()
)
_VERBS_IN_LY = frozenset("apply bely comply fly imply multiply rely reply supply".split())


COMMON_VERBS = frozenset(
    """arrive attend bake become begin believe belong bring build buy call care collect come cook cost create dance draw drink drive eat end
    enjoy expire feel find get give go graduate grow hate help hope inspire keep know learn like live look love make mean meet move need
    offer own paint pay play practise practice prefer read remain remind ride run say see seem sell sing sleep speak spend
    start stay stop study suffer support swim take talk teach tell think train travel try use visit walk want watch wear
    work write""".split()
)
"""Verbs that are told from a noun in front of them ("my sister paints"), in the form without an ending."""


def is_adverb(word: str) -> bool:
    """Whether a lower-case word between subject and verb is skipped in search of the verb."""
    return word in _ADVERBS_WITHOUT_LY or (word.endswith("ly") and word not in _VERBS_IN_LY)


def is_past(word: str) -> bool:
    """Whether a lower-case verb is a simple past: of "put" and "read" it is assumed."""
    return word in IRREGULAR_PASTS or (word.endswith("ed") and word not in _PRESENT_IN_ED)


def third_person(verb: str) -> str:
    """The form after a name of the lower-case form after "I": "live" becomes "lives", "am" "is", "went" stays."""
    if verb in _OWN_FORMS:
        return _OWN_FORMS[verb]
    if verb in _UNCHANGED or is_past(verb):
        return verb
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2:-1] not in ("a", "e", "o", "u"):
        return verb[:-1] + "ies"
    return verb + "s"
