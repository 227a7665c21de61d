"""A sentence cut into finite clauses, each with the one it is about: what slots are looked for in.

"We moved, I live in Lisbon now" has two clauses, and so has "Ruth has upped sticks and moved to Oslo", whose second half takes its
subject from the first. `statements.clauses` cuts less finely: a statement is kept with what surrounds it, a slot is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mnemic.extraction.local.english.alternatives import any_of
from mnemic.extraction.local.english.person import Person, folded
from mnemic.extraction.local.english.values import KIN, NAME
from mnemic.extraction.local.english.verb_groups import SUBJECTLESS_FORMS, THIRD_PERSON_FORMS, VERB_FORMS

_LEADING_ADVERB = (
    r"(?:(?i:now|then|actually|today|tonight|yesterday|these days|nowadays|currently|recently|lately|finally|just|in fact|also|still|instead"
    r"|(?:this|last|next) \w+|as of \w+(?: \w+)?|from \w+(?: on)?|since [\w ]{1,20}?|at the moment|right now|anyway|luckily|sadly)\s+)*"
)
_VERB = rf"(?:(?:\w+ly|also|just|now|still|only|really|both|all)\s+)*(?:{any_of([*VERB_FORMS, *'am is are was were been has have had do does did can cannot will used'.split()])})"
# A capital in front of a verb is a name unless it only begins the sentence.
_NAME_START = (
    r"(?!(?:I|In|At|On|For|After|Before|Since|From|As|During|When|Until|By|With|Over|And|But|So|Then|Just|Back|My|Our|We|The|It|He|She"
    r"|They|This|That|What|How|If|Now|Also|Still|You|Your|There|Here)\b)[A-Z]"
)
_STARTS_A_CLAUSE = (
    rf"{_LEADING_ADVERB}(?:(?:I|[Ww]e|[Ii]t|[Yy]ou|[Hh]e|[Ss]he|[Tt]hey|[Tt]here|[Ww]hat)\b|(?:[Mm]y|[Oo]ur)\s+(?:[\w'-]+\s+){{1,4}}?{_VERB}\b"
    rf"|[Hh]ome is\b|[Tt]he (?:[\w'-]+ )+?(?:I|we|is)\b|{_NAME_START}[\w'-]+ (?:[A-Z][\w'-]+ )?{_VERB}\b|[\w'-]+ (?:is|are) (?:now )?(?:my|our)\b)"
)
_CONJUNCTION = (
    r"(?:and|but|so|plus|then|because|as|although|though|while|yet|or|where|except|cause|cos|only|meaning|which means)"
)
_BOUNDARY = re.compile(
    rf"\s*(?:[,;:]|\s[-–—]+(?=\s)|[–—])\s*(?:{_CONJUNCTION}\s+)*(?={_STARTS_A_CLAUSE})"
    rf"|\s+{_CONJUNCTION}\s+(?:{_CONJUNCTION}\s+)*(?={_STARTS_A_CLAUSE})"
    rf"|,?\s+(?:and|but|then|so)\s+(?:then |so |now )?(?={_VERB}\b)"
    r"|\s*,\s+(?=(?:so|which|who|whose|but|because|though|although|hence|if|unless|where|mainly|mostly|thanks|thank)\b)"
    r"|\s*;\s*|(?<!\d):\s+|\s[-–—]+\s|[–—]|\s*[()]\s*"
)
_SAYS_BEFORE = re.compile(
    r"\b(?:says?|said|told \w+|claims?|claimed|thinks?|thought|believes?|asked|wrote|replied|quote)$", re.IGNORECASE
)
# What stands before the fact that it introduces.
_MATRIX = re.compile(
    r"^(?:(?:and|so|but|well) )*(?:(?:(?:I|we) )?(?:have |had )?(?:just |only |also )*(?:found out|find out|learned|learnt|realised|realized|discovered|remembered|noticed)\b(?:(?! that ).){0,40}?"
    r"(?: that)? (?=(?:I|we|my|our|(?-i:(?!I\b)[A-Z][\w'-]+))\b)"
    r"|(?:it |and it )?(?:turns|turned) out,? (?:that )?|(?:I |we )?(?:should (?:add|mention|say|note)|forgot to (?:say|mention|add|tell you)|(?:just )?(?:wanted|want) to (?:say|mention|let you know|tell you|add)|can confirm)(?: that)?,? (?=I|we|my|our|(?-i:[A-Z]))"
    r"|(?:just )?(?:so you know|for (?:the record|context|reference|your information))(?: for [\w ]+)?,? |(?:the )?(?:truth|fact|thing|point|news|short version) is,? (?:that )?"
    r"|[^,.]{0,60}?\b(?:delighted|pleased|happy|proud|thrilled|glad|sorry|excited|relieved|ashamed|embarrassed|able) to (?:hear|know|say|report|announce|learn|tell you|share|confirm|admit)(?: that)? (?=(?:I|we|my|our)\b)"
    r"|(?:fun fact|news flash|newsflash|breaking news|update|quick update|small update|good news|big news|heads up|fyi|psa|confession|plot twist|career change complete|change of plan),? (?=(?:I|we|my|our|(?-i:[A-Z]))\b)"
    r"|(?:have I|did I) (?:told you|tell you|mentioned|mention|said|say)(?: that)? |(?:he|she|they|(?-i:[A-Z])\w+|my \w+) (?:just )?(?:says|said|told me|reminds me|insists|points out|informs me)(?: that)? (?=(?:he|she|I|we|my|it)\b)"
    r"|did I (?:tell you|mention|say)(?: that)? |(?:please )?(?:note|remember)(?: that)? )",
    re.IGNORECASE,
)
_LEAD = re.compile(
    rf"^(?:(?i:and|but|so|then|plus|also|or)\s+)*{_LEADING_ADVERB}(?:(?i:in|at|on|for|after|before|back in|since|from|as of|during|when|until|by|with|over|alongside"
    r"|besides|on top of|apart from|straight out of|way back in|outside|as well as|growing up|ever since|two|three|four|five|a few|some|many|\d+)\b[^,:]{0,60}?,?\s+)??"
    rf"(?=(?:I|[Ww]e|[Hh]e|[Ss]he)\s|(?:[Mm]y|[Oo]ur) (?:[\w'-]+ ){{1,5}}?(?:is|are|has|was|were|have|did)\b|^(?:[Mm]y|[Oo]ur) |{_NAME_START}[\w'-]+(?: [A-Z][\w'-]+)? {_VERB}\b)",
)
_FIRST = re.compile(
    r"^(?P<who>(?:[Mm]y [\w -]{2,40}? and )?I|[Ww]e(?: both| all)?|[Mm]e and my \w+)\s+(?P<predicate>.+)$"
)
_KIN_SUBJECT = re.compile(
    rf"^(?:my|our) (?:new |lovely |dear |poor |old |little |lovely |wonderful )*{KIN}(?:,? (?P<name>{NAME}),?)? (?P<predicate>.+)$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"^(?:he|she) (?P<predicate>.+)$", re.IGNORECASE)
_BARE_KIN = r"(?:Mom|Mum|Mommy|Mummy|Dad|Daddy|Mother|Father|Grandma|Grandpa|Gran|Granny|Grandad|Granddad|Nan|Nana)"
_BARE_KIN_SUBJECT = re.compile(rf"^(?P<kin>{_BARE_KIN}) (?P<predicate>.+)$")
# After a word that only may be a name the verb must be one of a third person: "Sounds like a plan" is about nobody.
_THIRD_PERSON = rf"(?:(?:\w+ly|also|just|now|still|only|really)\s+)*(?:{any_of([*THIRD_PERSON_FORMS, *'is was has had does did can cannot will used'.split()])})"
_NAME_SUBJECT = re.compile(
    rf"^(?P<name>(?:(?:Uncle|Aunt|Auntie) )?[A-Z][\w-]+(?: [A-Z][\w-]+)?) (?P<predicate>{_THIRD_PERSON}\b.*)$"
)
_NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
    " thirty forty fifty sixty"
).split()
_SHORT_BE = re.compile(
    r"(?<=\bname)'s |(?<=\w)(?<!master)(?<!bachelor)(?<!driver)'s (?=(?:called|named|in|at|on|from|an?|the|now|actually|just|not|also|always|still|only|really|allergic|vegan|vegetarian"
    r"|pescatarian|coeliac|celiac|lactose|gluten|married|engaged|divorced|single|retired|based|into|fluent|diagnosed|\d+|Dr|"
    + "|".join(_NUMBERS)
    + r"|(?!wedding|building|clothing|ring|king|evening|morning|training|thing|painting|dining|engagement|meeting|reading|cooking)\w+ing)\b)"
)
_SHORT_HAVE = re.compile(
    r"(?<=\w)'s (?=(?:been|got|gone|had|taken|begun|left|become|(?:just |recently |already |finally )?(?!bed|red|old|beloved|called|named|married|engaged|divorced|retired|based|diagnosed|located)\w+ed)\b)"
)
# Kin of whom somebody has one: what is told of them needs no name.
ONE_AT_A_TIME = frozenset(
    """wife husband girlfriend boyfriend partner fiance fiancé fiancée fiancee spouse mother mom mum father dad boss manager therapist
    landlord mother-in-law father-in-law doctor dentist gp grandmother grandfather trainer supervisor bf gf stylist hairdresser barber
    accountant lawyer solicitor tutor nanny cleaner bestie""".split()
) | {"best friend", "best mate"}
SAME_KIN = {
    "mom": "mother",
    "mum": "mother",
    "mommy": "mother",
    "mummy": "mother",
    "dad": "father",
    "daddy": "father",
    "boss": "manager",
    "line manager": "manager",
    "supervisor": "manager",
    "grandma": "grandmother",
    "granny": "grandmother",
    "gran": "grandmother",
    "nan": "grandmother",
    "nana": "grandmother",
    "grandpa": "grandfather",
    "grandad": "grandfather",
    "granddad": "grandfather",
    "gp": "doctor",
    "physician": "doctor",
    "neighbor": "neighbour",
}
PARTNERS = frozenset(
    "wife husband girlfriend boyfriend partner fiance fiancé fiancée fiancee spouse bf gf missus".split()
)
_NO_NAMES = frozenset(
    """it this that there what who he she they you work life home everything someone somebody nobody everybody everyone something nothing
    today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday christmas easter january february march april
    may june july august september october november december here now then also just only still not no yes ok okay oh well so and but or if
    when while one two three both most some many all any each these those the a an my our your his her its their me us him them dinner
    lunch breakfast school college uni money time rent weather traffic dogs cats kids people folks google apple microsoft amazon""".split()
)


@dataclass(frozen=True, slots=True)
class FineClause:
    """A finite clause.

    Attributes:
        text: With its subject, as a sentence would have it: an inherited subject is written in front.
        person: Whom it is about; None where it is about something else ("it is Porto now", "my favourite colour is red").
        predicate: What is told of the person; empty without one.
        is_first_person: Whether the person is its speaker.
        inherits: Whether its subject is that of the clause before.
        written: As it stands in the sentence.
        whole: The text with what stands before its subject: where its times are.
    """

    text: str
    person: Person | None
    predicate: str
    is_first_person: bool
    whole: str
    inherits: bool = False
    written: str = ""


def fine_clauses(
    sentence: str, speaker: Person, participants: frozenset[str], mentioned: Person | None = None
) -> list[FineClause]:
    """The clauses of a sentence, in order.

    Args:
        sentence: Written out, without openings.
        speaker: Who says it.
        participants: First names, lower case, of those who take part: what is said of them is theirs to say.
        mentioned: Who is meant by "he" or "she": the last third person that the message told of.
    """
    found: list[FineClause] = []
    subject: tuple[str, Person, bool] | None = None
    previous = ""
    for cut in _BOUNDARY.split(with_verbs(sentence)):
        piece = cut.strip(" ,;")
        if not piece or _SAYS_BEFORE.search(previous):
            previous = piece
            continue
        previous = piece
        text = _actively(_MATRIX.sub("", _BEEN.sub("I have been", piece)))
        lead = _LEAD.match(text)
        core = text[lead.end() :] if lead else text
        pronoun = _PRONOUN.match(core)
        if pronoun is not None and mentioned is not None:
            clause = FineClause(core, mentioned, pronoun["predicate"], is_first_person=False, whole=text)
        else:
            clause = _of(core, text, speaker, participants)
        if clause.person is None and (_JOINED_VERB if subject else _BEGINS_WITH_VERB).match(core):
            # "… and moved to Oslo": the subject of the clause before, or the "I" that nobody writes.
            label, person, is_first = subject or ("I", speaker, True)
            said = f"{label} {core[:1].lower()}{core[1:]}"
            clause = FineClause(said, person, core[:1].lower() + core[1:], is_first, said, inherits=True)
        elif clause.person is not None:
            written = core[: len(core) - len(clause.predicate)].strip()
            subject = (written, clause.person, clause.is_first_person)
        else:
            subject = None
        if clause.person is not None and not clause.is_first_person:
            mentioned = clause.person
        found.append(replace(clause, written=piece))
    return found


# Without a subject before it a clause in the form of a command is one.
_BEGINS_WITH_VERB = re.compile(
    rf"^(?:just |recently |finally |also |now |already |currently )*{any_of(SUBJECTLESS_FORMS)}\b", re.IGNORECASE
)
_JOINED_VERB = re.compile(rf"^(?!(?:[a-z]+ly )?\w+ing\b){_VERB}\b")


# Who is put, moved or given something is the one it is told of: "they've put me on Osprey" is "I was put on Osprey".
_DONE_TO = re.compile(
    rf"^(?:{_LEADING_ADVERB})(?:they|work|my (?:boss|manager|company|work|employer|team|job|wife|husband|partner|parents?|mum|mom|dad)|the (?:company|firm|team|office|boss|bank|school|doctor|clinic)"
    rf"|(?P<who>(?-i:(?!I\b)[A-Z][\w&'-]*(?: [A-Z][\w&'-]*)*?)))(?: have| has|'s|'ve)?(?: just| finally| now| recently)? (?P<verb>put|moved|transferred|relocated|promoted|hired|headhunted|recruited|given|gave|got|bought|assigned|made|switched|registered|diagnosed)"
    rf" (?P<object>me|us)\b(?: back)? ?(?P<rest>.*)$",
    re.IGNORECASE,
)
_GIVEN = frozenset("given gave got bought".split())
_HIRED = frozenset("hired headhunted recruited".split())


def _actively(text: str) -> str:
    match = _DONE_TO.match(text)
    if match is None:
        return text
    verb, rest = match["verb"].lower(), match["rest"]
    if verb in _HIRED and match["who"]:
        return f"I joined {match['who']} {rest}".strip()
    if verb in _GIVEN:
        return f"I got {rest}"
    if verb in ("moved", "relocated", "switched", "transferred"):
        return f"I {verb} {rest}"
    return f"I am {verb} {rest}" if verb != "made" else f"I became {rest}"


_BEEN = re.compile(r"^(?:(?:just|now) )?been(?= \w+(?:ing|an?|on|in|at)\b)", re.IGNORECASE)


def with_verbs(text: str) -> str:
    """The text with "my boyfriend's called Ben" as "my boyfriend is called Ben"; a possessive stays."""
    text = _SHORT_HAVE.sub(" has ", text) if "'s " in text else text
    return _SHORT_BE.sub(" is ", text) if "'s " in text else text


def _of(core: str, whole: str, speaker: Person, participants: frozenset[str]) -> FineClause:
    match = _FIRST.match(core)
    if match is not None:
        return FineClause(core, speaker, match["predicate"], is_first_person=True, whole=whole)
    match = _KIN_SUBJECT.match(core)
    if match is not None and not match["predicate"].startswith("'"):
        return FineClause(
            core, relative(match["kin"], match["name"], speaker), match["predicate"], is_first_person=False, whole=whole
        )
    match = _BARE_KIN_SUBJECT.match(core)
    if match is not None:
        return FineClause(
            core, relative(match["kin"], None, speaker), match["predicate"], is_first_person=False, whole=whole
        )
    match = _NAME_SUBJECT.match(core)
    if match is not None and match["name"].split()[0].lower() not in _NO_NAMES | participants:
        return FineClause(core, named(match["name"], speaker), match["predicate"], is_first_person=False, whole=whole)
    return FineClause(core, None, "", is_first_person=False, whole=whole)


def relative(kin: str, name: str | None, speaker: Person) -> Person:
    """Somebody who belongs to the speaker; without a key where one cannot tell which of several it is."""
    kin = kin.lower()
    if name:
        return Person(f"{speaker.possessive} {kin} {name}", f"{speaker.key}.{folded(name)}")
    is_one = SAME_KIN.get(kin, kin) in ONE_AT_A_TIME or kin in ONE_AT_A_TIME
    key = f"{speaker.key}.{folded(SAME_KIN.get(kin, kin))}"
    return Person(f"{speaker.possessive} {kin}", key, is_one_of_several=not is_one)


def named(name: str, speaker: Person) -> Person:
    """Somebody whom the speaker calls by name."""
    return Person(name, f"{speaker.key}.{folded(name)}")


def of_kin(kin: str) -> tuple[str, bool]:
    """The attribute that names somebody's relative, and whether there may be several: "new girlfriend" is `partner`, of whom there is one."""
    kin = _OF_NO_MATTER.sub("", kin.lower())
    kin = _CHILDREN.get(kin, kin)
    attribute = "partner" if kin in PARTNERS else SAME_KIN.get(kin, kin)
    return folded(attribute), kin not in ONE_AT_A_TIME


_OF_NO_MATTER = re.compile(r"^(?:(?:new|own|dear|old|little|baby|middle|second|lovely)[ -])+")
_CHILDREN = {"girl": "daughter", "boy": "son"}
