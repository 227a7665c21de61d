"""What a frame is, and the shapes of which frames are made.

A frame is tried when its verb is the one of the clause; it sees what follows the verb. Tense, aspect, adverbs and negation are read
before (`verb_groups`). Values are read as they stand in the text; a frame that is not sure of its value does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.values import (
    END,
    ORGANISATION,
    PLACE,
)

Groups = dict[str, str]


@dataclass(frozen=True, slots=True)
class Frame:
    """One pattern over what follows a verb.

    Attributes:
        attribute: The slot behind the person; `{name}` is the group of that name, folded.
        pattern: From the beginning of what follows.
        template: The statement; `{s}` is the person and the other fields are groups of the pattern.
        category: The fact's label.
        adds: Whether a further value supersedes nothing.
        value: What the slot's value is; the group `value` unless told otherwise.
        accepts: Refuses values that a pattern cannot tell apart.
        outlasts: Whether it is told in the past tense and holds today: where somebody was born.
        told_by: Only these forms of the verb tell it ("I'm seeing Tom"); empty for all.
    """

    attribute: str
    pattern: re.Pattern[str]
    template: str
    category: str
    adds: bool = False
    value: str = "{value}"
    accepts: Callable[[Groups], bool] = lambda groups: values.is_value(groups["value"])
    outlasts: bool = False
    told_by: tuple[str, ...] = ()


FrameTable = dict[str, list[Frame]]
"""The frames of each verb, in the order in which they are tried."""


def add_frame(
    table: FrameTable, verbs: str, attribute: str, pattern: str, template: str, category: str, **more: object
) -> None:
    """Adds a frame of several verbs to a table."""
    frame = Frame(attribute, re.compile(pattern, re.IGNORECASE), template, category, **more)  # type: ignore[arg-type]  # checked by Frame itself
    for verb in verbs.split():
        table.setdefault(verb, []).append(frame)


def is_home(groups: Groups) -> bool:
    """Whether a place may be lived in: nobody lives in Marketing."""
    return groups["value"].split(",")[0].split()[0].lower() not in values.NO_PLACES


def is_organisation(groups: Groups) -> bool:
    """Whether a name may be an employer's."""
    return groups["value"].split()[0].lower() not in values.NO_ORGANISATIONS and not GYM.search(groups["value"])


def tells_job(groups: Groups) -> bool:
    """Whether the value names an occupation."""
    return is_job(groups["value"])


def is_job(value: str) -> bool:
    """Whether a noun names an occupation."""
    words = re.sub(r" (?:at|in|for|of) .*", "", value.lower()).split()
    return bool(words) and words[-1] in values.JOBS and values.is_value(value)


def is_hobby(groups: Groups) -> bool:
    """Whether somebody may do the value for pleasure."""
    first = groups["value"].lower().split()[0]
    return values.is_value(groups["value"]) and first not in _NO_HOBBIES


def is_taste(groups: Groups) -> bool:
    """Whether the value is what is liked, not the beginning of it."""
    value = groups["value"].lower()
    return values.is_value(value) and _NO_TASTES.match(value) is None


def is_subject(groups: Groups) -> bool:
    """Whether the value can be studied."""
    first = groups["value"].lower().split()[0]
    return values.is_value(groups["value"]) and first not in _NO_SUBJECTS


def is_vehicle(groups: Groups) -> bool:
    """Whether the value is a vehicle."""
    return bool(VEHICLES.match(groups["value"]))


def is_project(groups: Groups) -> bool:
    """Whether the value tells a project from others."""
    return values.is_value(groups["value"]) and groups["value"].lower() not in ("project", "book")


def anything(_groups: Groups) -> bool:
    """For patterns that are sure of their values."""
    return True


# Beginnings of what somebody likes, and not what: "spending" of "spending time with friends".
_NO_TASTES = re.compile(
    r"(?:be|see|hear|know|my|our|being|spending|going|getting|having|making|taking|looking|trying|doing|seeing|hearing|keeping"
    r"|helping|giving|finding|just|take|go|get|have|make|do|spend|try|keep|give|find|help|talking|coming|bringing)\b"
)
_NO_SUBJECTS = frozenset("hard abroad late all my our a online".split())
_NO_HOBBIES = frozenset(
    """thinking feeling getting looking seeing having making working taking being trying doing going using caring dating putting saying talking
    wondering realizing realising noticing falling losing gaining crying laughing asking telling hearing planning saving selling
    buying giving sharing helping finding running out coming living loving liking hating wanting something anything things""".split()
) - {"running"}
VEHICLES = re.compile(
    r"(?:tesla|toyota|honda|ford|bmw|audi|mercedes|vw|volkswagen|volvo|kia|hyundai|nissan|mazda|subaru|fiat|renault|peugeot"
    r"|citro[eë]n|opel|vauxhall|skoda|seat|porsche|mini|jeep|chevy|chevrolet|dodge|lexus|jaguar|suzuki|dacia|polestar|rivian|prius"
    r"|vespa|harley|ducati|yamaha|mitsubishi|acura|buick|cadillac|gmc|land rover|range rover|alfa|byd|mg|saab|cupra|genesis"
    r"|motorbike|motorcycle|scooter|van|truck)\b",
    re.IGNORECASE,
)
GYM = re.compile(r"(?i:gym|fitness|fit\b|crossfit|leisure|climbing|bouldering|yoga|pilates|ymca|barbell|athletic)")
DET = r"(?:an?|the|my|our|his|her|their|this|one|some)"
ADJECTIVES = r"(?:(?!(?:of|in|at|for|to|with|as|from|and)\b)[\w'-]+ ){0,3}?"
DWELLING = (
    r"(?:house|flat|apartment|place|home|condo|studio|cottage|bungalow|loft|townhouse|terrace|room|spot|flatshare|houseshare"
    r"|two-bed|one-bed|farmhouse|duplex|unit)"
)
WHERE = r"(?:(?:back|over|down|up|out|off|away|house|here|there|permanently|full[- ]time|abroad|across town|all the way|somewhere)\s+)*"
PLACE_KIND = (
    r"(?:the (?=[A-Z])|(?:the )?(?:city|town|village|state|suburbs|outskirts|middle|heart|centre|center|north|south|east|west) of |"
    r"(?:sunny|rainy|beautiful|downtown|central|lovely|cold|hot|north|south|east|west|northern|southern|eastern|western|good old|little|tiny) )*"
)
HOME_PLACE = rf"{PLACE_KIND}(?P<value>{PLACE})(?!'s)(?!\s+(?:team|department|division|role|group|office))"
IN_DWELLING = rf"(?:{DET} {ADJECTIVES}{DWELLING} (?:(?:over|down|up|out) )?(?:in|near) )?"
JOB_NOUN = r"(?:job|role|position|gig|post|offer|internship|contract|placement|apprenticeship|career|work)"
AT_ORGANISATION = rf"(?:the |{ADJECTIVES}(?:company|firm|startup|start-up|place|agency|outfit|shop) (?:called|named) )?(?P<value>{ORGANISATION})"
AS_JOB = rf"as (?:{DET} )?"
SCHOOL = (
    r"(?P<value>(?-i:(?:[A-Z][\w'&.-]*\s)*(?:University|College|School|Institute|Academy|High|Elementary|Primary|Secondary|Uni|Grammar"
    r"|Prep|Infants|Juniors|Nursery|Kindergarten|Preschool|Montessori|Polytechnic|Tech|Conservatory|State)(?: of(?: [A-Z][\w-]*)+)?(?: [A-Z][\w-]*)?|(?:[A-Z][\w'&.-]*\s)+(?:nursery|primary|infants|school|college|academy|kindergarten|preschool|juniors)|MIT|ETH|UCLA|LSE|UCL|NYU|USC|Oxford"
    r"|Cambridge|Stanford|Harvard|Yale|Princeton|Imperial|Columbia|Berkeley))"
)
A_VEHICLE = (
    r"(?:(?:new|used|second-hand|brand-new|brand new|little|old|shiny|electric|red|blue|white|black|silver|grey|gray|green) )*(?:\d{4} )?"
    r"(?P<value>(?-i:[A-Z][\w-]*(?: (?!I\b)[A-Z\d][\w-]*)*)(?: (?!(?:and|but|so|now|for|to|with|in|from|instead|last|this|yesterday|today|since"
    r"|because|these|which|that|on|at|as|too|after|before|when|the|car|bike)\b)\w+)?|motorbike|motorcycle|scooter|van|truck)"
)
PHONE = r"(?P<value>(?:iphone|pixel|galaxy|samsung|oneplus|nokia|fairphone|xiaomi|huawei|motorola|sony xperia|blackberry)(?: [\w+]+(?<!for)(?<!and)(?<!now)(?<!from)(?<!so)(?<!but)){0,3}?)" + END  # fmt: skip
KEPT = rf"(?:{DET}|another|an?other|two|three|\d|myself an?|ourselves an?)(?: {ADJECTIVES}| )"
CALLED = r"(?:,? (?:that |who |and )?(?:is |we |I )?(?:just )?(?:named|called|name|call)(?: (?:him|her|it|them))?,?|,| whose name is|[:-])"
DOCTOR = r"(?:dr\.?|doctor) (?P<value>(?-i:[A-Z][\w'-]+(?: [A-Z][\w'-]+)?))"
NUMBER_WORDS = (
    r"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-(?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
PRACTICES = (
    r"kendo|judo|karate|aikido|jiu-?jitsu|bjj|taekwondo|kickboxing|muay thai|krav maga|yoga|pilates|zumba|ballet|crossfit|gymnastics|parkour"
    r"|tai chi|archery|pottery|ceramics|calligraphy|crochet|origami|improv|stand-up|triathlons?|marathons?|athletics|capoeira|salsa|tango|tap"
)
