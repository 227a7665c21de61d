"""What is said of somebody's things and people by a noun: "my name is Ana", "Mom's favourite flower is the peony"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.clause_grammar import named, of_kin, relative
from mnemic.extraction.local.english.frame import DOCTOR, is_job
from mnemic.extraction.local.english.lexicon.things import classes_of
from mnemic.extraction.local.english.likeness import shape_of
from mnemic.extraction.local.english.person import Person, folded
from mnemic.extraction.local.english.slots import SlotReading, says_another, says_only
from mnemic.extraction.local.english.values import ANIMAL, DATE, DIETS, END, KIN, NAME, NOUN, ORGANISATION, PLACE

_STILL = r"(?: (?:now|actually|currently|still|really|in fact|officially|probably|definitely|always|just|as of \w+|these days))*"
_BE = rf"(?:is|are|was changed to|has (?:just )?(?:changed|switched|moved) to|(?:just )?(?:changed|switched|became) (?:to )?|has become|became|has always been|will always be){_STILL}(?: (?:called|named))?{_STILL}:?"
_ANY_NAME = r"(?-i:(?:the )?(?:[A-Z][\w'&.-]*|\d[\w'&.-]*)(?:\s+(?:of|the|de|and the|&)\s+[A-Z][\w'&-]*|\s+(?!(?:And|But|I)\b)[A-Z\d][\w'&.-]*){0,4})"
_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_PHONE_NUMBER = r"\+?[\d ()-]{2,}\d"
_MODEL = r"(?-i:i?[A-Z][\w-]*(?: (?:[A-Z\d]|i\d)[\w-]*)*)"
_SOMETHING = rf"(?:(?:an?|the|to|in|at|on) )*(?P<value>{NOUN}(?: and {NOUN})?){END}"


@dataclass(frozen=True, slots=True)
class _Noun:
    """A noun that names an attribute.

    Attributes:
        attribute: The slot behind the person; `{what}` and others are groups of the noun.
        noun: What it is called.
        value: The shape of its values, with the group `value`.
        template: The statement.
        category: The fact's label.
        adds: Whether somebody has several.
    """

    attribute: str
    noun: str
    value: str
    template: str
    category: str
    adds: bool = False


_NOUNS = (
    _Noun("name", r"(?:full |real |first |legal )?name", rf"(?P<value>{NAME})", "{s}'s name is {value}.", "personal"),
    _Noun("surname", r"(?:surname|last name|family name|married name)", rf"(?P<value>{NAME})", "{s}'s surname is {value}.", "personal"),
    _Noun("nickname", r"nickname", rf"(?P<value>{NAME})", "{s}'s nickname is {value}.", "personal"),
    _Noun("birthday", r"(?:birthday|date of birth|birthdate|birth date|bday)", rf"(?:on )?(?P<value>{DATE})", "{s}'s birthday is {value}.", "personal"),
    _Noun("hometown", r"home ?town", rf"(?P<value>{PLACE})", "{s}'s hometown is {value}.", "personal"),
    _Noun("home", r"(?:home|house|flat|apartment|place|home city|city|home base|base)(?: here)?", rf"(?:in |near )?(?:the )?(?P<value>{PLACE})", "{s} lives in {value}.", "personal"),
    _Noun("address", r"(?:home )?address", r"(?P<value>\d+[\w ,.'-]+|[A-Z][\w ,.'-]*\d+[\w ,.'-]*)$", "{s}'s address is {value}.", "personal"),
    _Noun("{kind}email", r"(?P<kind>(?:work|personal|private|school|business|home) )?e-?mail(?: address)?", rf"(?P<value>{_EMAIL})", "{s}'s {kind}e-mail address is {value}.", "personal"),
    _Noun("{kind}phone", r"(?P<kind>(?:work|home|office|landline|emergency) )?(?:(?:phone|mobile|cell|telephone|contact)(?: phone)?(?: number)?|number)", rf"(?P<value>{_PHONE_NUMBER})", "{s}'s {kind}phone number is {value}.", "personal"),
    _Noun("phone_model", r"(?:main |work )?(?:phone|mobile|cell|handset)", rf"(?:an? )?(?P<value>{_MODEL})", "{s}'s phone is a {value}.", "personal"),
    _Noun("time_zone", r"time ?zone", r"(?P<value>(?-i:[A-Z]{2,4}(?:[+-]\d{1,2})?|[A-Z][a-z]+/[A-Z]\w+))", "{s}'s time zone is {value}.", "personal"),
    _Noun("pronouns", r"pronouns", r"(?P<value>\w+/\w+(?:/\w+)?)", "{s}'s pronouns are {value}.", "personal"),
    _Noun("age", r"age", r"(?P<value>\d{1,3})\b", "{s} is {value} years old.", "personal"),
    _Noun("job", r"(?:day )?(?:job(?: title)?|profession|occupation|role|position)", rf"(?:as )?(?:being )?(?:an? |the )?(?:as an? )?(?P<value>{NOUN}){END}", "{s}'s job is {value}.", "work"),
    _Noun("employer", r"(?:employer|company|workplace|firm)", rf"(?P<value>{ORGANISATION})", "{s} works at {value}.", "work"),
    _Noun("native_language", r"(?:native language|mother tongue|first language)", rf"(?P<value>{values.LANGUAGES})\b", "{s}'s native language is {value}.", "personal"),
    _Noun("blood_type", r"blood (?:type|group)", r"(?P<value>(?:AB|A|B|O)(?: ?[+-]| (?:positive|negative))?)(?!\w)", "{s}'s blood type is {value}.", "health"),
    _Noun("shoe_size", r"shoe size", r"(?:an? )?(?P<value>\d{1,2}(?:\.5)?)\b", "{s}'s shoe size is {value}.", "personal"),
    _Noun("height", r"height", r"(?P<value>[\d.'\"]+ ?(?:m|cm|ft|feet)?)", "{s}'s height is {value}.", "personal"),
    _Noun("vehicle", r"(?:family )?(?:car|ride|vehicle|motor|truck|van|motorbike)", rf"(?:an? )?(?:new )?(?P<value>{_MODEL})", "{s}'s car is a {value}.", "personal"),
    _Noun("diet", r"diet", rf"(?:mostly |strictly |an? )?(?P<value>{DIETS}|paleo|plant-based|low-carb)\b", "{s}'s diet is {value}.", "food"),
    _Noun("doctor", r"(?:family )?(?:doctor|gp|physician)(?:'s name)?", rf"(?:an? )?(?:{DOCTOR}|(?P<plain>{NAME}))", "{s}'s doctor is Dr {value}.", "health"),
    _Noun("{what}", r"(?P<what>dentist|therapist|physio|physiotherapist|optician|vet|counsellor|counselor|psychiatrist|dermatologist|midwife)(?:'s name)?", rf"(?:{DOCTOR}|(?P<plain>{NAME}))", "{s}'s {what} is {value}.", "health"),
    _Noun("bank", r"(?:bank|bank accounts?|current account|accounts?|banking)", rf"(?:with |at )?(?P<value>{_ANY_NAME})", "{s} banks with {value}.", "personal"),
    _Noun("gym", r"gym", rf"(?P<value>{_ANY_NAME})", "{s} trains at {value}.", "health"),
    _Noun("school", r"(?:school|college|university|uni|high school|primary school|nursery)", rf"(?P<value>{_ANY_NAME})", "{s} attends {value}.", "education"),
    _Noun("field_of_study", r"(?:major|degree subject|course)", rf"(?:in )?(?P<value>{NOUN}){END}", "{s} studies {value}.", "education"),
    _Noun("degree", r"(?:degree|master's|phd|bachelor's|undergrad|masters)", rf"in (?P<value>{NOUN}){END}", "{s} has a degree in {value}.", "education", adds=True),
    _Noun("hobby", r"(?:(?:main|biggest|favou?rite) )?hobby", _SOMETHING, "{s}'s hobby is {value}.", "hobbies", adds=True),
    _Noun("hobby", r"(?:main )?hobbies", _SOMETHING, "{s}'s hobbies are {value}.", "hobbies", adds=True),
    _Noun("project", r"(?:(?:side|main|big|work) )?project(?: (?:this|for the) \w+| at work| at the moment| right now)?", r"(?:to )?(?P<value>[\w' -]+?)(?=\s*(?:[,;.!]|$))", "{s}'s project is {value}.", "work"),
    _Noun("allergy", r"(?:only |main |worst )?allerg(?:y|ies)", rf"(?:to )?{_SOMETHING}", "{s} is allergic to {value}.", "health", adds=True),
    _Noun("favourite_{what}", r"(?:all-time |absolute )?(?:favou?rite|fave) (?P<what>(?!ever\b)[\w-]+(?: (?!of\b|is\b|are\b|has\b|was\b|right\b|these\b|at\b|now\b|by\b)[\w-]+){0,2}?)(?: of (?:all time|mine)| right now| these days| at the moment| by far| ever| to [a-z]+)?", rf"(?:[\"'“‘](?P<quoted>[^\"'”’]+)[\"'”’]|(?:the (?=(?-i:[a-z])))?(?:an? )?(?P<value>{NOUN}(?: and {NOUN})?){END})", "{s}'s favourite {what} is {value}.", "preferences"),
    _Noun("pet", rf"(?:(?!favou?rite|old)[\w-]+ ){{0,2}}?{ANIMAL}(?:'s name| name)?", rf"(?P<value>{NAME})", "{s}'s {animal} is called {value}.", "pets", adds=True),
    _Noun("{kin}", rf"(?:(?:lovely|next-door) )?{KIN}(?:'s name| name)?", rf"(?P<value>{NAME})(?!'s)", "{s}'s {kin} is called {value}.", "family", adds=True),
)  # fmt: skip
# After these "'s" is a possessive.
_OF_SOMEBODY = frozenset(("{kin}", "pet", "{what}"))
# Of these the value is no name.
_IN_WORDS = frozenset(("favourite_{what}", "hobby", "job"))
_ADJECTIVES = r"(?:(?:new|current|latest|own|actual|real|main|other|second|personal new) )*"
_COMPILED = tuple(
    (
        noun,
        re.compile(
            rf"{_ADJECTIVES}(?:{noun.noun})(?: of (?:mine|ours))?(?: {_BE} {'' if noun.attribute in _OF_SOMEBODY else '|' + chr(39) + 's '})(?:also |now |only )*(?:{noun.value})",
            re.IGNORECASE,
        ),
    )
    for noun in _NOUNS
)
_INVERTED = tuple(
    (noun, re.compile(rf"^(?:(?:the|an?) )?(?P<value>{NOUN if noun.attribute in _IN_WORDS else _ANY_NAME}) (?:is|are){_STILL} (?P<owner>my|our) {_ADJECTIVES}(?:{noun.noun})(?: now| these days| of all time| at the moment)?(?=\s*(?:$|[,.;!]))", re.IGNORECASE))
    for noun in _NOUNS
    if noun.attribute in _IN_WORDS | {"home", "gym", "school", "employer", "doctor", "{kin}", "surname", "nickname", "project"}
)  # fmt: skip
_CALLED_BY_FRIENDS = re.compile(
    rf"(?:(?:at|in|on|with|among) [\w' ]{{2,20}} )?(?:(?:my|our|the|all my|most of my) [\w' -]{{2,30}}?|everyone|everybody|people|most people|they|they all|some people|folks|friends|mates|colleagues)(?: at [a-z]+| here)?(?: all| just| always| still| usually)? (?:calls?|knows?) me (?:as )?(?P<value>{NAME})(?=$|,| for| because| too| as well| since)",
    re.IGNORECASE,
)
# What is told neither by a verb of the speaker nor by "my".
_SPECIAL = (
    ("nickname", _CALLED_BY_FRIENDS, "{s}'s nickname is {value}.", "personal"),
    ("name", re.compile(rf"I am (?:called|named) (?P<value>{NAME})$", re.IGNORECASE), "{s}'s name is {value}.", "personal"),
    ("partner", re.compile(rf"(?P<value>{NAME}) and I (?:(?:have|are|were|just|finally|now|both|recently|got|been|became|officially) )*(?:engaged|married|dating|together|going out|an item|a couple)\b"), "{s} is together with {value}.", "family"),
    ("employer", re.compile(rf"(?:my |our )?first (?:day|week|month|shift|morning)(?: ever)? (?:at|with) (?P<value>{ORGANISATION})", re.IGNORECASE), "{s} works at {value}.", "work"),
    ("{kind}email", re.compile(rf"(?:for (?P<kind>work|school|business|uni|home)[, ]+)?(?:there is|use|I use|I have|I have got) (?:also )?(?:an?|another|my) (?:[\w-]+ ){{0,2}}?e-?mail(?: address)?,?:? (?P<value>{_EMAIL})", re.IGNORECASE), "{s}'s {kind}e-mail address is {value}.", "personal"),
)  # fmt: skip
_CONTACT = (
    ("phone", re.compile(rf"(?:you can |please |just )*(?:reach|call|text|ring|contact|phone|whatsapp|get) me (?:on|at) (?P<value>{_PHONE_NUMBER})", re.IGNORECASE), "{s}'s phone number is {value}.", "personal"),
    ("email", re.compile(rf"(?:you can |please |just )*(?:reach|contact|e-?mail|write to|get) me (?:on|at) (?P<value>{_EMAIL})", re.IGNORECASE), "{s}'s e-mail address is {value}.", "personal"),
)  # fmt: skip
# "I've changed my email to …", "I switched gyms to …": what then is theirs.
_CHANGED_THING = re.compile(
    r"^(?:(?:I|we) )?(?:have |has )?(?:(?:just|recently|finally|now|also) )*(?:changed|switched|moved|updated|swapped|transferred) (?:(?:all|both) (?:of )?)?(?:(?P<own>my|our) )?(?P<noun>[\w -]+?)(?P<plural>s)?(?: (?:over|across|from [\w@. '&-]+?))? to (?P<value>.+)$",
    re.IGNORECASE,
)
_OWNER = re.compile(
    rf"^(?:(?P<home>(?=home (?:is|base is)))|(?P<own>my|our|the(?= project\b)|the(?= new (?:house|flat|apartment|place|home|car|job|school|gym|doctor|gp|boss|manager|phone|number|email|project|surname)\b)|one of my|one of our|another|the other)\b|(?:my|our) {KIN}(?:,? (?P<name>{NAME}),?)?'s|(?P<bare>(?!I\b|It\b|That\b|What\b|Who\b|There\b|Here\b|Let\b)[A-Z][\w-]+(?: [A-Z][\w-]+)?)'s\b)\s*(?P<rest>.+)$",
    re.IGNORECASE,
)
# "my main hobby these days is pottery", "my username on the forum is birdman".
_WHEN_BEFORE_BE = re.compile(
    r"^(?P<noun>(?:and |so |but |now )*(?:my|our|his|her|their|[A-Z][\w-]+'s) (?:[\w'-]+ ){1,3}?[\w'-]+)(?: (?:nowadays|these days|right now|at the moment|currently|this (?:year|season|month|term|week|time)|for (?:now|the \w+)|at (?:work|home|school)|of choice|now|on [\w ]{2,15}|round here|around here))+(?= (?:is|are) )",
    re.IGNORECASE,
)
_SAYS_NOW = re.compile(r"\b(?:now|these days|nowadays)\b", re.IGNORECASE)
_BARE_KIN = frozenset(
    "mom mum mommy mummy dad daddy mother father grandma grandpa gran granny grandad granddad nan nana".split()
)
_GENERIC = re.compile(
    rf"{_ADJECTIVES}(?P<what>(?!(?:old|first|last|former|previous|ex|next|point|question|problem|issue|goal|dream|plan|plans|guess|bad|mistake|apologies|friends?|family"
    rf"|day|week|weekend|life|turn|fault|mind|heart|body|head|feet|back|eyes?)\b)[a-z][\w-]*(?: [a-z][\w-]*)?) {_BE} (?P<value>{_ANY_NAME}|[a-z][\w.]*\d[\w.]*){END}"
)
# Nouns whose values are words; of others only a name or a number is taken for one.
_GENERIC_WORD = re.compile(
    rf"{_ADJECTIVES}(?P<what>(?:[a-z][\w-]* )?(?:order|drink|instrument|sign|size|team|sport|type|style|brand|flavou?r|snack|meal|dish|dessert|breakfast|lunch|tea|coffee|perfume|scent|club|rank|plan|faith|religion|nationality|subject|specialty|speciality|star sign|team name)) {_BE} (?:an? |the )?(?P<value>{NOUN}){END}",
    re.IGNORECASE,
)
_GENERIC_CLASS = re.compile(
    rf"{_ADJECTIVES}(?P<what>(?!(?:old|first|last|former|previous|ex)\b)[a-z][\w'-]*(?: [a-z][\w-]*){{0,2}}?) {_BE} (?:(?:by|with|at|on|in|from|for|about|around|to|an?|the) )*"
    rf"(?P<value>{_ANY_NAME}|\d[\w:.]*(?: (?:foot|feet|cm|kg|stone|am|pm|minutes|hours|miles|km)(?: \d+)?)?|(?:half|quarter) (?:past |to )?\w+|{NOUN}{END}){END}",
)
_NAMED_KIN = re.compile(
    rf"\b(?:my|our|another) (?P<adjectives>(?:(?:new|second|first|other|lovely|old|ex|former|late) )*)(?:{KIN}|{ANIMAL}),? (?P<value>{NAME})(?P<possessive>'s)?(?:,|\b)",
    re.IGNORECASE,
)
# "Our second, a boy named Felix, was born last night".
_CHILD = re.compile(
    rf"^(?:we|I|our|my wife|my partner)\b[^.]*?\b(?:an?|another|our|my) (?:baby |little |healthy |beautiful )*(?P<kin>boy|girl|son|daughter),? (?:named|called) (?P<value>{NAME})",
    re.IGNORECASE,
)
# "A second dog, a spaniel called Wren".
_NAMED_ANIMAL = re.compile(
    rf"(?:,|:| -) an? (?:(?!I\b)[\w'-]+ ){{0,2}}?{ANIMAL},? (?:called|named) (?P<value>{NAME})", re.IGNORECASE
)
_OVER = re.compile(r"\b(?:old|ex|former|first|previous|late)\b")
_OF_THE_MENTIONED = re.compile(r"^(?:and |but |so |now )*(?:his|her) (?!name\b)(?P<rest>.+)$", re.IGNORECASE)
_REST_PLURAL = re.compile(r"^(?P<many>favou?rite) (?P<what>\w+?)s (?=is|are)")


def read_possession(
    clause: str, speaker: Person, mentioned: Person | None = None
) -> Iterator[tuple[Person, SlotReading]]:
    """The slots that a clause about somebody's thing fills, with those whose they are.

    Args:
        clause: Written out; `clause_grammar.with_verbs` has been at it.
        speaker: Who says "my".
        mentioned: Who is meant by "his" or "her".
    """
    clause = _WHEN_BEFORE_BE.sub(r"\g<noun>", clause)
    changed = _CHANGED_THING.match(clause)
    if changed is not None and (changed["own"] or changed["plural"]):
        clause = f"my {changed['noun']} is {changed['value']}"
    other = _OF_THE_MENTIONED.match(clause)
    if other is not None and mentioned is not None and mentioned.key:
        for reading in _of_noun(other["rest"], clause):
            yield mentioned, reading
            return
    owner = _OWNER.match(clause)
    if owner is not None:
        person = _owner(owner, speaker)
        if person.key:
            for reading in _of_noun(owner["rest"], clause):
                yield person, reading
                return
    for noun, pattern in _INVERTED:
        match = pattern.match(clause)
        if match is not None and values.is_value(_value(match)):
            yield speaker, _reading(noun, match, clause)
            return
    for attribute, pattern, template, category in (*_SPECIAL, *_CONTACT):
        match = pattern.match(clause)
        if match is not None:
            kind = (match.groupdict().get("kind") or "").lower()
            kind = f"{kind} " if kind else ""
            yield (
                speaker,
                SlotReading(
                    folded(attribute.format(kind=kind)),
                    match["value"],
                    template.replace("{kind}", kind),
                    category,
                    # What some call somebody others do not.
                    adds=says_another(clause)
                    or (attribute == "nickname" and not clause.lower().startswith("everyone")),
                ),
            )


def tells_contact(clause: str) -> bool:
    """Whether a clause that speaks to somebody tells them how to reach the speaker."""
    return any(pattern.match(clause) for _, pattern, _, _ in _CONTACT)


def named_in_passing(clause: str) -> SlotReading | None:
    """The name of somebody whom a clause mentions: "my sister Emma lives in Porto"."""
    child = _CHILD.search(clause)
    if child is not None:
        return _kin_reading(child["kin"].lower(), child["value"].removesuffix("'s"))
    animal = _NAMED_ANIMAL.search(clause)
    if animal is not None:
        return newly_named("animal", animal["animal"].lower(), animal["value"].removesuffix("'s"))
    match = _NAMED_KIN.search(clause)
    if match is None or _OVER.search((match["adjectives"] or "") + " " + (match["kin"] or "")):
        return None
    value = match["value"].removesuffix("'s")
    if match["kin"]:
        return _kin_reading(match["kin"].lower(), value)
    return SlotReading(
        "pet", f"{match['animal'].lower()} {value}", "{s} has a {value}.", "pets", adds=True, is_timeless=True
    )


_UNNAMED = re.compile(
    rf"\b(?:an?|another|our|my|new|second|third|little) (?:(?!I\b)[\w'-]+ ){{0,2}}?(?:{KIN}|{ANIMAL})(?! (?:called|named|is|has|was)\b)(?!'s)(?!,? (?-i:[A-Z]))",
    re.IGNORECASE,
)


def unnamed_in(sentence: str) -> tuple[str, str] | None:
    """The last person or animal that a sentence brings up without a name, as `kin` or `animal` and the word for it."""
    found = None
    for match in _UNNAMED.finditer(sentence):
        if match["kin"] and match["kin"].lower() not in _NOT_NAMED_LATER:
            found = ("kin", match["kin"].lower())
        elif match["animal"]:
            found = ("animal", match["animal"].lower())
    return found


_NOT_NAMED_LATER = frozenset("mother mom mum father dad parents".split())


def newly_named(kind: str, what: str, name: str) -> SlotReading:
    """The name of a person or an animal that was brought up without one: "a goldfish too. His name is Captain"."""
    if kind == "kin":
        return replace(_kin_reading(what, name), adds=of_kin(what)[1])
    return SlotReading("pet", f"{what} {name}", "{s} has a {value}.", "pets", adds=True, is_timeless=True)


def _owner(match: re.Match[str], speaker: Person) -> Person:
    if match["own"] or match["home"] is not None:
        return speaker
    if match["bare"]:
        if match["bare"].lower() in _BARE_KIN:
            return relative(match["bare"], None, speaker)
        return named(match["bare"], speaker)
    return relative(match["kin"], match["name"], speaker)


def _of_noun(rest: str, clause: str) -> Iterator[SlotReading]:
    rest = _REST_PLURAL.sub(r"\g<many> \g<what> ", rest)
    for noun, pattern in _COMPILED:
        match = pattern.match(rest)
        if match is None or not (noun.attribute == "pronouns" or values.is_value(_value(match))):
            continue
        if noun.attribute == "{kin}" and "language" in classes_of(_value(match)) and not _SAYS_NAME.search(rest):
            # "My sister-in-law is Norwegian" is no name.
            continue
        if noun.attribute == "job" and not (
            is_job(match["value"]) or rest.startswith(("job title", "job is to", "profession", "occupation", "job"))
        ):
            continue
        yield _reading(noun, match, clause)
        return
    match = _GENERIC.match(rest) or _GENERIC_WORD.match(rest) or _generic_class(rest)
    if match is not None:
        what = match["what"]
        yield SlotReading(
            folded(what),
            match["value"],
            f"{{s}}'s {what} is {{value}}.",
            "personal",
            adds=says_another(clause),
            is_timeless=True,
        )


def _generic_class(rest: str) -> re.Match[str] | None:
    """Whatever is somebody's and has a value of a class or a shape: "my hair is copper", "my standup is at 9:45"."""
    match = _GENERIC_CLASS.match(rest)
    if match is None:
        return None
    value = match["value"]
    is_telling = classes_of(value) or shape_of(value) not in ("word", "name", "number") or value[:1].isupper()
    return match if is_telling and not _NO_GENERIC & set(match["what"].replace("'s", "").split()) else None


_SAYS_NAME = re.compile(r"\b(?:called|named|name)\b", re.IGNORECASE)
_NO_GENERIC = frozenset(
    """kids children family friends parents dad mum mom mother father brother sister son daughter wife husband day week weekend life dream
    is are was has have called named cousin aunt uncle niece nephew sisters brothers partner girlfriend boyfriend baby people
    goal plan problem question point issue guess mistake way thing things idea advice time heart mind name plans passion""".split()
)


def _value(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return groups.get("value") or groups.get("plain") or groups.get("quoted") or ""


def _kin_reading(kin: str, name: str) -> SlotReading:
    attribute, adds = of_kin(kin)
    return SlotReading(attribute, name, f"{{s}}'s {kin} is called {{value}}.", "family", adds=adds, is_timeless=True)


def _reading(noun: _Noun, match: re.Match[str], clause: str) -> SlotReading:
    groups = match.groupdict()
    value = values.without_article(_value(match))
    if noun.attribute == "{kin}":
        return _shaped(_kin_reading(groups["kin"].lower(), value), clause)
    known = {
        key: (text or "").lower() for key, text in groups.items() if key not in ("value", "plain", "quoted", "owner")
    }
    template = noun.template
    for key, text in known.items():
        template = template.replace("{" + key + "}", text)
    if "what" in known:
        known["what"] = known["what"].replace("color", "colour")
    if noun.attribute == "pet":
        value, template = f"{known['animal']} {value}", "{s} has a {value}."
    name = folded(noun.attribute.format(**known)) if noun.attribute != "pet" else "pet"
    if noun.attribute == "vehicle":
        # "My car is …": whatever they had, this is the one.
        return replace(
            SlotReading(name, value, template, noun.category, adds=False, is_timeless=True),
            is_exclusive=not says_another(clause),
        )
    return _shaped(SlotReading(name, value, template, noun.category, noun.adds, is_timeless=True), clause)


def _shaped(reading: SlotReading, clause: str) -> SlotReading:
    if says_another(clause) or clause.lower().startswith(("another", "one of")):
        return replace(reading, adds=True)
    is_only = says_only(clause) or (
        reading.adds and reading.category in ("hobbies", "work") and bool(_SAYS_NOW.search(clause))
    )
    return replace(reading, adds=False, is_exclusive=True) if is_only else reading
