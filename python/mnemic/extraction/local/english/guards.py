"""What is not said about the world as it is: questions, wishes, jokes, other people's words, small talk.

Each guard errs towards silence: a fact that is missed can still be found in its message, one that is wrong misleads.
"""

from __future__ import annotations

import re

from mnemic.extraction.local.english.sentences import Sentence

_QUESTION_START = re.compile(
    r"^(?:(?:so|and|but|well|hey|ok|okay|or),? )*(?:what|why|how|who|whom|whose|where|when|which|do|does|did|is|are|was"
    r"|were|am|can|could|will|would|should|shall|may|might|have|has|had|any)\b(?! (?:I|we) (?:was|were|got|moved|first)\b)"
    r"(?=.* (?:I|you|we|they|he|she|it|that|this|there|your|my|the|anyone|someone|to|a|an|in)\b)",
    re.IGNORECASE,
)
_SUBORDINATE_START = re.compile(r"^(?:when|where|while|how|had|as)\b[^,]*,\s*(?:I|we|my)\b", re.IGNORECASE)

_UNREAL = re.compile(
    r"\b(?:if|unless|whether|suppose|supposing|imagine|pretend|hypothetically|wish|wishing|as though|in case|what about"
    r"|in theory|let us|let's|would|could|might|maybe|perhaps|probably|possibly|dreamt?|dreamed|nightmare|joking"
    r"|kidding|kinda wish|should|ought|supposedly|allegedly|apparently|rumou?r|in the (?:story|game|novel|book)"
    r"|my character|i guess|i think|i suppose|not sure|no idea|almost|nearly|forgot to|meant to|tempted to)\b",
    re.IGNORECASE,
)

# Of these a whole sentence is unreal; a guess leaves what stands beside it alone.
_CONDITIONAL = re.compile(
    r"^(?:(?:so|and|but|well|or|then) )*(?:if|unless|whether|suppose|supposing|imagine|pretend|hypothetically|in theory|what about|let us|let's|I wish|wish|maybe|perhaps)\b"
    r"|\b(?:dreamt?|dreamed|nightmare|joking|kidding|in the (?:story|game|novel|book)|my character|as though|pretend)\b",
    re.IGNORECASE,
)
_JOKE = re.compile(
    r"\b(?:just kidding|j/?k|only joking|i(?:'m| am) (?:just |only )?(?:kidding|joking)|yeah,? right|as if|not!|said no one"
    r" ever|sarcasm)\b|(?<!\w)/s\b|🙄|😜|😏",
    re.IGNORECASE,
)

_REPORTED = re.compile(
    r"\b(?:says?|said|told (?:me|us|him|her|them)|claims?|claimed|thinks?|thought|believes?|asked|wrote|replied"
    r"|according to|quote|lyrics?)\b",
    re.IGNORECASE,
)
_QUOTED_FIRST_PERSON = re.compile(r"[\"“«][^\"”»]*\b(?:I|my|me|we|our)\b[^\"”»]*[\"”»]|(?:^|\s)'(?:I|My|We)\b")

_MATERIAL = re.compile(
    r"^(?:(?:please|can you|could you|would you|will you|now|hey|ok|okay|then|also|help me|i (?:need|want) you to|i would"
    r" like you to)[, ]+)*(?:to )?(?:translate|rewrite|rephrase(?! that)|proofread|paraphrase|summari[sz]e|draft|compose|write|generate"
    r"|act as|pretend|role-?play|imagine|correct(?! (?:myself|that|me))|edit(?!:)|fix(?!:)|polish|improve|continue|complete|classify|analy[sz]e|evaluate"
    r"|answer (?:the|this)|here is (?:my|the|an?) (?:essay|text|story|draft|letter|email|e-mail|code|poem|article))\b",
    re.IGNORECASE,
)

_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself|u|ur)\b", re.IGNORECASE)
_FILLERS = re.compile(
    r",?\s*\b(?:you know(?: what)?|as you know|mind you|believe you me|thank you(?: so much)?)\b,?", re.IGNORECASE
)

_OPENINGS = re.compile(
    r"^(?:(?:oh|ah|aw+|wow|hey|hi|hiya|hello|yo|yeah|yea|yep|yup|yes|no|nope|nah|ok|okay|well|so|and|but|or|plus|also|btw|haha"
    r"|hah|lol|ha|hmm+|uh|um|man|gosh|damn|dude|thanks(?: (?:so much|a lot|a bunch|again|for asking))?|thank you(?: so much)?"
    r"|sure|sure thing|great|cool|nice|awesome|absolutely|definitely|totally|exactly|right|true|indeed|of course|anyway"
    r"|anyways|by the way|actually|honestly|to be honest|tbh|fyi|like|yeah sure|good (?:morning|evening|afternoon|question)"
    r"|for sure|no worries|no problem|in fact|luckily|fortunately|unfortunately|sadly|speaking of which|guess what"
    r"|remember(?: that)?|for the record|just so you know|note that|please remember(?: that)?|please note(?: that)?"
    r"|on (?:a|an)other note|on a (?:different|side|brighter|related) note|in the meantime|since (?:we|the) last (?:\w+|we \w+)"
    r"|since (?:we|our) (?:last )?(?:talked|spoke|chatted|chat|talk)(?: last)?|oh no|good news|bad news|(?:quick |small |an? |life )*update|news)\b(?!\s+(?:to|is|are|was|I|my|we)\b(?<!I)(?<!my)(?<!we))[,!:;]?\s*)+",
    re.IGNORECASE,
)


_QUESTION_WITHIN = re.compile(
    r"[,;:-]\s*(?:did I (?:say|mention|tell)|have I (?:said|mentioned|told)|would you believe|can you believe|do you (?:remember|know)|you know|isn't it|right)\b"
    r"|[,;:-]\s*(?:so |but |and )?(?:how|what|why|where|which|can|could|should|do|does|is|are|would|will)\s+(?:can|could|should|do|does|would"
    r"|is|are|I|we|you|it|this|that|there)\b",
    re.IGNORECASE,
)


_POLITE_CONDITION = re.compile(
    r"^(?i:(?:(?:so|and|but|well|oh|hey|also|btw|ok|okay),? )*(?:if|in case|for when|whenever|when|before|since|as) (?:you|anyone|anybody|it|that|this|we are|there|she kills|he kills))\b[^,:]{0,60}[,:]\s+(?=(?:I|we|my|our|(?!I\b)[A-Z])\b(?! (?:would|could|might|will)\b))",
)
_CONDITION_BEHIND = re.compile(
    r"[,;]? (?:if|unless|in case|whether|when I can|as long as|provided|assuming)\b.*$", re.IGNORECASE
)


def without_condition(text: str) -> str:
    """A sentence without a condition that nothing hangs on: "if you're booking, my favourite restaurant is Lupe's"."""
    return _POLITE_CONDITION.sub("", text)


def without_condition_behind(text: str) -> str:
    """A clause without the condition at its end: "my hobby is badminton, twice a week if work lets me"."""
    return _CONDITION_BEHIND.sub("", text)


def told_before_asked(text: str) -> str:
    """What a sentence tells before it asks: "I finished the review, can you check the rest" tells of the review."""
    match = _QUESTION_WITHIN.search(text)
    return text if match is None else text[: match.start()].rstrip()


def is_question(sentence: Sentence) -> bool:
    """Whether it asks: by its mark, or by how it begins where no mark says otherwise."""
    if sentence.mark == "?":
        return True
    return bool(_QUESTION_START.match(sentence.text)) and not _SUBORDINATE_START.match(sentence.text)


def is_unreal(text: str) -> bool:
    """Whether it is supposed, wished, dreamt or uncertain rather than told."""
    return bool(_UNREAL.search(text))


def is_conditional(text: str) -> bool:
    """Whether a whole sentence is supposed or wished, and no part of it told."""
    return bool(_CONDITIONAL.search(text))


def is_joke(body: str) -> bool:
    """Whether the message takes back what it says; irony without a sign is not seen."""
    return bool(_JOKE.search(body))


def is_quoting(text: str) -> bool:
    """Whether its "I" may be somebody else's."""
    return bool(_QUOTED_FIRST_PERSON.search(text))


def is_reported(text: str) -> bool:
    """Whether it tells what somebody said or thinks."""
    return bool(_REPORTED.search(text))


def asks_for_work_on_text(text: str) -> bool:
    """Whether what follows in the message is material ("Translate this: I live in Rome") and not about the writer."""
    return bool(_MATERIAL.match(text))


def speaks_to_somebody(text: str) -> bool:
    """Whether it is about the one spoken to."""
    return bool(_SECOND_PERSON.search(text))


def without_openings(text: str, names: frozenset[str]) -> str:
    """The sentence without "Oh yeah, Mel," in front, ", Mel" behind and fillers within.

    Args:
        text: A sentence.
        names: First names of those who take part in the conversation, lower case.
    """
    text = _FILLERS.sub("", text)
    while True:
        shorter = _without_address(_OPENINGS.sub("", text).lstrip(" ,!-"), names)
        if shorter == text:
            return text
        text = shorter


def _without_address(text: str, names: frozenset[str]) -> str:
    first, separator, rest = text.partition(",") if "," in text[:20] else text.partition("!")
    if separator and first.strip().lower() in names:
        text = rest.lstrip()
    head, separator, last = text.rpartition(",")
    if separator and last.strip().lower() in names:
        text = head
    return text
