"""Whether a text is English."""

from __future__ import annotations

import re

# Words that only English has, and those that every English text has and other languages may have too.
_ENGLISH_WORDS = frozenset(
    """the i is my we our you your of and it that this for with not are were they she his her their what there have been had
    just going went from who which would should could please don't always never yesterday today tomorrow year years week
    month last next like love hate work works working live lives living moved called named friend sister brother mom dad wife
    husband born with don doesn't i'm call answer reply keep meant everyone everybody people calls now gone job got started became switched bought favourite favorite correction typo sorry actually
    these those though although because about after before than then really very much more most some every each both only also
    too still already again here when where while why how its into through between during without around until since being did
    does done make made get getting take took come came see saw know think want need new old first second two three day days
    time morning evening tonight weekend name school doctor boss manager car dog cat son daughter baby partner team hobby""".split()
)
_SHARED_WORDS = frozenset("a an am was to in on has do be but at so he will can as me no or by if new up out".split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LEAST_COMMON_SHARE = 0.2


def is_english(body: str) -> bool:
    """Whether a text is, by the share of words that every English text has."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(body[:1000])]
    english = sum(word in _ENGLISH_WORDS or word.partition("'")[0] in _ENGLISH_WORDS for word in words)
    shared = sum(word in _SHARED_WORDS for word in words)
    return english > 0 and english + shared >= _LEAST_COMMON_SHARE * len(words)
