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
    bring brings bringing brought me mine us them him her them out off over up down about around onto upon against among across
    along behind below beneath beside besides beyond despite inside near outside past since than till toward towards under unless
    whether whose whom while within yet could might must shall ought won't can't didn't doesn't isn't aren't wasn't weren't haven't
    hasn't i've i'll i'd we're we've they're it's that's there's what's let's you're you've he's she's who's here's nothing something
    anything everything nobody somebody anybody whatever whenever wherever however maybe perhaps quite rather pretty enough almost
    nearly ever once twice usually mostly often sometimes rarely recently lately finally officially apparently currently instead
    anyway though oops whoops wait hang scratch rather ignore forget remember found lost left right wrong bought sold paid spent built
    caught drove drive drives driving ate eat eats eating drank drink drinks slept sleep woke wake run runs running ran walk walks
    walking talk talked speak speaks spoke say says said tell told ask asked read reads write wrote written play plays playing played
    watch watched listen study studies studying studied teach teaches teaching taught learn learning move moved moving stay stayed
    stopped finished ended turned swapped changed switched picked dropped ditched cancelled retired treated booked signed adopted
    married engaged dating divorced birthday husband wives kids kid children child parents mum mother father gran grandad nephew
    niece aunt uncle cousin neighbour neighbor flatmate roommate landlord house flat home kitchen garden street town city village
    office company colleague boss meeting phone number email password account bank breakfast lunch dinner food coffee tea milk bread
    allergic allergy diet vegan vegetarian favourite colour color film movie book song band game club class course lesson lessons
    language instrument dentist teacher nurse driver engineer manager monday tuesday wednesday thursday friday saturday sunday
    january february march april june july august september october november december spring summer autumn winter half quarter
    one four five six seven eight nine ten twenty thirty hundred little big small good great nice lovely happy glad bit lot lots
    thing things stuff way people everyone person man woman guy girl boy folks place round again always never nowadays
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
