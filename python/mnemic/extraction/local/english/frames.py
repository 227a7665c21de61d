"""The slots of common life and work facts: which verbs, followed by what, tell which attribute.

A frame is tried when its verb is the one of the clause; it sees what follows the verb. Tense, aspect, adverbs and negation are read
before (`verb_groups`). Values are read as they stand in the text; a frame that is not sure of its value does not match.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.values import (
    ANIMAL,
    DIETS,
    END,
    ILLNESSES,
    INSTRUMENTS,
    KIN,
    LANGUAGES,
    NAME,
    NOUN,
    ORGANISATION,
    PLACE,
    SPORTS,
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


FRAMES: dict[str, list[Frame]] = defaultdict(list)


def _on(verbs: str, attribute: str, pattern: str, template: str, category: str, **more: object) -> None:
    frame = Frame(attribute, re.compile(pattern, re.IGNORECASE), template, category, **more)  # type: ignore[arg-type]  # checked by Frame itself
    for verb in verbs.split():
        FRAMES[verb].append(frame)


def _is_home(groups: Groups) -> bool:
    return groups["value"].split(",")[0].split()[0].lower() not in values.NO_PLACES


def _is_organisation(groups: Groups) -> bool:
    return groups["value"].split()[0].lower() not in values.NO_ORGANISATIONS and not _GYM.search(groups["value"])


def _is_job(groups: Groups) -> bool:
    return is_job(groups["value"])


def is_job(value: str) -> bool:
    """Whether a noun names an occupation."""
    words = re.sub(r" (?:at|in|for|of) .*", "", value.lower()).split()
    return bool(words) and words[-1] in values.JOBS and values.is_value(value)


def _is_hobby(groups: Groups) -> bool:
    first = groups["value"].lower().split()[0]
    return values.is_value(groups["value"]) and first not in _NO_HOBBIES


def _is_taste(groups: Groups) -> bool:
    value = groups["value"].lower()
    return values.is_value(value) and _NO_TASTES.match(value) is None


def _is_subject(groups: Groups) -> bool:
    first = groups["value"].lower().split()[0]
    return values.is_value(groups["value"]) and first not in _NO_SUBJECTS


def _is_vehicle(groups: Groups) -> bool:
    return bool(VEHICLES.match(groups["value"]))


def _is_project(groups: Groups) -> bool:
    return values.is_value(groups["value"]) and groups["value"].lower() not in ("project", "book")


def _always(_groups: Groups) -> bool:
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
_GYM = re.compile(r"(?i:gym|fitness|fit\b|crossfit|leisure|climbing|bouldering|yoga|pilates|ymca|barbell|athletic)")
_DET = r"(?:an?|the|my|our|his|her|their|this|one|some)"
_ADJECTIVES = r"(?:(?!(?:of|in|at|for|to|with|as|from|and)\b)[\w'-]+ ){0,3}?"
_DWELLING = (
    r"(?:house|flat|apartment|place|home|condo|studio|cottage|bungalow|loft|townhouse|terrace|room|spot|flatshare|houseshare"
    r"|two-bed|one-bed|farmhouse|duplex|unit)"
)
_WHERE = r"(?:(?:back|over|down|up|out|off|away|house|here|there|permanently|full[- ]time|abroad|across town|all the way|somewhere)\s+)*"
_PLACE_KIND = (
    r"(?:the (?=[A-Z])|(?:the )?(?:city|town|village|state|suburbs|outskirts|middle|heart|centre|center|north|south|east|west) of |"
    r"(?:sunny|rainy|beautiful|downtown|central|lovely|cold|hot|north|south|east|west|northern|southern|eastern|western|good old|little|tiny) )*"
)
_HOME_PLACE = rf"{_PLACE_KIND}(?P<value>{PLACE})(?!'s)(?!\s+(?:team|department|division|role|group|office))"
_IN_DWELLING = rf"(?:{_DET} {_ADJECTIVES}{_DWELLING} (?:(?:over|down|up|out) )?(?:in|near) )?"
_JOB_NOUN = r"(?:job|role|position|gig|post|offer|internship|contract|placement|apprenticeship|career|work)"
_ORGANISATION = rf"(?:the |{_ADJECTIVES}(?:company|firm|startup|start-up|place|agency|outfit|shop) (?:called|named) )?(?P<value>{ORGANISATION})"
_AS_JOB = rf"as (?:{_DET} )?"
_SCHOOL = (
    r"(?P<value>(?-i:(?:[A-Z][\w'&.-]*\s)*(?:University|College|School|Institute|Academy|High|Elementary|Primary|Secondary|Uni|Grammar"
    r"|Prep|Polytechnic|Tech|Conservatory|State)(?: of(?: [A-Z][\w-]*)+)?(?: [A-Z][\w-]*)?|MIT|ETH|UCLA|LSE|UCL|NYU|USC|Oxford"
    r"|Cambridge|Stanford|Harvard|Yale|Princeton|Imperial|Columbia|Berkeley))"
)
_VEHICLE = (
    r"(?:(?:new|used|second-hand|brand-new|brand new|little|old|shiny|electric|red|blue|white|black|silver|grey|gray|green) )*(?:\d{4} )?"
    r"(?P<value>(?-i:[A-Z][\w-]*(?: (?!I\b)[A-Z\d][\w-]*)*)(?: (?!(?:and|but|so|now|for|to|with|in|from|instead|last|this|yesterday|today|since"
    r"|because|these|which|that|on|at|as|too|after|before|when|the|car|bike)\b)\w+)?|motorbike|motorcycle|scooter|van|truck)"
)
_PHONE = r"(?P<value>(?:iphone|pixel|galaxy|samsung|oneplus|nokia|fairphone|xiaomi|huawei|motorola|sony xperia|blackberry)(?: [\w+]+(?<!for)(?<!and)(?<!now)(?<!from)(?<!so)(?<!but)){0,3}?)" + END  # fmt: skip
_KEPT = rf"(?:{_DET}|another|an?other|two|three|\d|myself an?|ourselves an?)(?: {_ADJECTIVES}| )"
_CALLED = r"(?:,? (?:that |who |and )?(?:is |we |I )?(?:just )?(?:named|called|name|call)(?: (?:him|her|it|them))?,?|,| whose name is|[:-])"
DOCTOR = r"(?:dr\.?|doctor) (?P<value>(?-i:[A-Z][\w'-]+(?: [A-Z][\w'-]+)?))"
_NUMBER_WORDS = (
    r"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-(?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
_PRACTICES = (
    r"kendo|judo|karate|aikido|jiu-?jitsu|bjj|taekwondo|kickboxing|muay thai|krav maga|yoga|pilates|zumba|ballet|crossfit|gymnastics|parkour"
    r"|tai chi|archery|pottery|ceramics|calligraphy|crochet|origami|improv|stand-up|triathlons?|marathons?|athletics|capoeira|salsa|tango|tap"
)

# Where one lives.
_on(
    "live reside dwell settle base stay",
    "home",
    rf"{_WHERE}(?:in|into|near|outside|just outside) {_IN_DWELLING}{_HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=_is_home,
)
_on(
    "be",
    "home",
    rf"(?:based|settled|living|resident) {_WHERE}(?:in|near|outside) {_HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=_is_home,
)
_on(
    "move relocate emigrate",
    "home",
    rf"{_WHERE}(?:in with [\w' ]+? )?(?:(?:out of|from) (?:{_DET} )?[\w', -]+? )?{_WHERE}(?:in|to|into) {_IN_DWELLING}{_HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=_is_home,
)
_on(
    "buy rent get find sign",
    "home",
    rf"(?:the lease (?:on|for) |the keys (?:to|for) )?{_DET} {_ADJECTIVES}{_DWELLING} {_WHERE}(?:in|near) {_HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=_is_home,
)
_on(
    "live be reside",
    "address",
    r"at (?P<value>(?:(?:number |no\.? ?)?\d+\w?(?:,? (?-i:[A-Z][\w'-]*))+|number \d+\w?\b)|(?-i:(?:[A-Z][\w'-]* )+)\d+)",
    "{s}'s address is {value}.",
    "personal",
)
_on("be come", "origin", rf"(?:originally )?from (?P<value>{PLACE})", "{s} is from {value}.", "personal", accepts=_is_home)
_on("grow", "hometown", rf"up in (?P<value>{PLACE})", "{s} grew up in {value}.", "personal", outlasts=True)
_on("be", "hometown", rf"raised in (?P<value>{PLACE})", "{s} grew up in {value}.", "personal", outlasts=True)
_on("be", "birthplace", rf"born in (?P<value>{PLACE})", "{s} was born in {value}.", "personal", outlasts=True)
_on("be", "birthday", rf"born on (?P<value>{values.DATE})", "{s} was born on {value}.", "personal", outlasts=True)
_on("be", "birth_year", r"born in (?P<value>(?:19|20)\d\d)\b", "{s} was born in {value}.", "personal", outlasts=True)
_on(
    "be turn",
    "age",
    rf"(?P<value>\d{{1,3}}|{_NUMBER_WORDS})(?: years old| yo| y/o|-years-old)?(?=\s*(?:$|[,.;!]|\b(?:and|last|this|on|in|yesterday|today|now|already|not|but|years)\b))",
    "{s} is {value} years old.",
    "personal",
)
# Work.
_on("work", "job", rf"{_AS_JOB}(?P<value>{NOUN}){END}", "{s} works as a {value}.", "work")
_on(
    "start begin get take land accept find pick have do",
    "job",
    rf"(?:up |on )?(?:{_DET} {_ADJECTIVES}{_JOB_NOUN} |work(?:ing)? )?{_AS_JOB}(?P<value>{NOUN}){END}",
    "{s} works as a {value}.",
    "work",
)
_on(
    "train qualify retrain register",
    "job",
    rf"{_AS_JOB}(?P<value>{NOUN}){END}",
    "{s} is a {value}.",
    "work",
    accepts=_is_job,
)
_on(
    "get be",
    "job",
    rf"(?:promoted|bumped up|moved up) to (?:{_DET} )?(?P<value>{NOUN}(?: of {NOUN})?){END}",
    "{s} works as a {value}.",
    "work",
    outlasts=True,
)
_on(
    "be become",
    "job",
    rf"the (?=(?:head|director|vice|vp|chief|ceo|cto|cfo)\b)(?P<value>{NOUN}(?: of {NOUN})?){END}",
    "{s} works as a {value}.",
    "work",
)
_on(
    "be become",
    "job",
    rf"(?P<value>(?:(?:senior|junior|deputy|assistant|regional|interim|acting|general|team|shift|floor|store|area|night|tech|project|product|sales) )*"
    rf"(?:head|director|vp|ceo|cto|cfo|coo|president|lead|leader|manager|supervisor|principal|chief|partner)(?: of [\w ]+?)?){END}(?! (?:with|by)\b)",
    "{s} is {value}.",
    "work",
    accepts=lambda groups: values.is_value(groups["value"]) and groups["value"].lower() not in ("lead", "head", "partner", "principal"),
)
_on("earn serve moonlight do", "job", rf"[\w ]{{0,30}}?\bas an? (?P<value>{NOUN}){END}", "{s} works as a {value}.", "work", accepts=_is_job)
_on("be become", "job", rf"(?:an?|the|also an?|now an?|one of the) (?P<value>{NOUN}){END}", "{s} is a {value}.", "work", accepts=_is_job)
_on(
    "work",
    "employer",
    rf"(?:(?:{_AS_JOB}{NOUN}|full[- ]time|part[- ]time|over|remotely|in [a-z]+) )*(?:at|for|with) {_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=_is_organisation,
)
_on(
    "start begin get take land accept have find pick",
    "employer",
    rf"(?:up |on )?(?:working )?(?:{_DET} {_ADJECTIVES}{_JOB_NOUN} )?(?:{_AS_JOB}{NOUN} )?(?:over )?(?:at|for|with|from) {_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=_is_organisation,
)
_on(
    "be",
    "employer",
    rf"(?:an?|the) (?P<job>{NOUN}) (?:at|for|with) {_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=lambda groups: is_job(groups["job"]) and "student" not in groups["job"].lower() and _is_organisation(groups),
)
_on("jump move", "employer", rf"(?:ship |over )(?:to )?{_ORGANISATION}", "{s} works at {value}.", "work", accepts=_is_organisation)
_on("join", "employer", _ORGANISATION, "{s} works at {value}.", "work", accepts=_is_organisation)
_on(
    "be get",
    "employer",
    rf"(?:now )?(?:employed|hired|recruited|headhunted|poached|taken on) (?:at|by|with) {_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=_is_organisation,
    outlasts=True,
)
_on(
    "accept",
    "employer",
    rf"{_DET} {_ADJECTIVES}offer (?:from|at|with) {_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=_is_organisation,
)
_on(
    "work",
    "project",
    rf"on {_DET} (?:new |own )?(?P<value>{NOUN})(?: project)?{END}",
    "{s} is working on a {value}.",
    "work",
    adds=True,
    accepts=_is_project,
)
_on(
    "work be lead manage run get join",
    "project",
    rf"(?:put |assigned |moved |working |staffed )?(?:on |to |onto )?(?:{_DET} )?(?:\w+ )?(?:project,? (?:called |named )?(?P<named>{NAME})|(?P<of>{NAME}) project)\b",
    "{s} works on the project {value}.",
    "work",
    value="{named}{of}",
    accepts=_always,
)
_on("work", "project", rf"on (?P<value>{NAME}){END}", "{s} works on the project {value}.", "work")
# Education.
_on(
    "attend go transfer move switch change enrol enroll register start",
    "school",
    rf"(?:school )?(?:over )?(?:at |to |in )?(?:the )?{_SCHOOL}",
    "{s} attends {value}.",
    "education",
)
_on(
    "be",
    "school",
    rf"(?:enrolled|registered|a student|studying) (?:at|in|with) (?:the )?{_SCHOOL}",
    "{s} attends {value}.",
    "education",
)
_on(
    "do take study finish start begin",
    "school",
    rf"(?:{_DET} )?{_ADJECTIVES}(?:classes|class|courses?|degree|master's|masters|phd|doctorate|bachelor's|undergrad|mba|lessons)(?: in {NOUN})? (?:at|with) (?:the )?(?P<value>{ORGANISATION})",
    "{s} attends {value}.",
    "education",
)
_on(
    "have get do finish complete earn hold",
    "degree",
    rf"(?:{_DET} |my )?(?:second |first |third |new )?(?:degree|master's|masters|phd|doctorate|bachelor's|diploma|ba|bsc|msc)(?: degree)? in (?P<value>{NOUN}){END}",
    "{s} has a degree in {value}.",
    "education",
    adds=True,
    outlasts=True,
)
_on("study", "school", rf"(?:{NOUN} )?(?:at|with) (?:the )?{_SCHOOL}", "{s} attends {value}.", "education")
_on("be", "school", rf"(?:an? (?:\w+ )?student )?at (?:the )?{_SCHOOL}", "{s} attends {value}.", "education")
_on(
    "study", "field_of_study", rf"(?!for\b|at\b)(?P<value>{NOUN}){END}", "{s} studies {value}.", "education", accepts=_is_subject
)
_on("major", "field_of_study", rf"in (?P<value>{NOUN}){END}", "{s} studies {value}.", "education", accepts=_is_subject)
_on(
    "switch change",
    "field_of_study",
    rf"(?:{_DET} )?(?:majors?|course|degree|subject) (?:from {NOUN} )?to (?P<value>{NOUN}){END}",
    "{s} studies {value}.",
    "education",
)
_on("graduate", "education", rf"from (?P<value>{ORGANISATION})", "{s} graduated from {value}.", "education", adds=True)
# Food and health.
_on(
    "be go become turn",
    "diet",
    rf"(?:an? |fully |back to )?(?:strict(?:ly)? |mostly |full |total )?(?P<value>{DIETS})\b(?! options?| food| cheese| friend)",
    "{s} is {value}.",
    "food",
)
_on(
    "follow eat be switch change move go convert do start try adopt",
    "diet",
    rf"(?:on |to |over to )?(?:an? |the )?(?:strict(?:ly)? |mostly )?(?P<value>{DIETS})(?: diet| food)?{END}",
    "{s} eats {value}.",
    "food",
)
_on("be go start try", "diet", r"(?:on )?(?:an? |the )(?:strict )?(?P<value>[\w-]+) diet\b", "{s} is on a {value} diet.", "food")
_on(
    "eat",
    "diet",
    rf"(?P<value>meat|fish|everything|dairy|chicken)(?= (?:again|now)\b)",
    "{s} eats {value}.",
    "food",
    accepts=_always,
    value="eats {value}",
)
_on(
    "be",
    "allergy",
    rf"(?:\w+ly )?allergic to (?P<value>{NOUN}(?:(?:, {NOUN})*,? (?:and|or) {NOUN})?){END}",
    "{s} is allergic to {value}.",
    "health",
    adds=True,
)
_on(
    "have develop",
    "allergy",
    r"(?:an?|another) (?:(?:bad|severe|mild|serious|nasty|new|slight|terrible|second) )?(?P<value>[\w]+(?: (?!allergy)\w+)?) allergy\b",
    "{s} is allergic to {value}.",
    "health",
    adds=True,
)
_on(
    "have develop",
    "allergy",
    rf"(?:an?|another) (?:\w+ )?allergy to (?P<value>{NOUN}){END}",
    "{s} is allergic to {value}.",
    "health",
    adds=True,
)
_on(
    "be",
    "intolerance",
    r"(?P<value>lactose|gluten|fructose|histamine)[- ]intolerant",
    "{s} is {value} intolerant.",
    "health",
    adds=True,
)
_on("have suffer", "health", rf"(?:from )?(?P<value>{ILLNESSES})\b", "{s} has {value}.", "health", adds=True)
_on(
    "be get",
    "health",
    rf"diagnosed with (?P<value>{ILLNESSES})\b",
    "{s} has {value}.",
    "health",
    adds=True,
    outlasts=True,
)
_on(
    "see have go visit register switch change sign use move",
    "doctor",
    rf"(?:up )?(?:registered |signed up |a patient )?(?:of |with |to |over to |under |at )?(?:{_DET} {_ADJECTIVES}(?:doctor|gp|doc|physician),? (?:called |named )?)?(?:{_DET} )?{DOCTOR}",
    "{s}'s doctor is Dr {value}.",
    "health",
)
_on("be", "doctor", rf"(?:registered|signed up|a patient|on the list) (?:of|with|under|at) (?:the )?{DOCTOR}", "{s}'s doctor is Dr {value}.", "health")
_on(
    "go join train work switch change sign be exercise move lift have",
    "gym",
    rf"(?:out )?(?:up )?(?:a |my )?(?:gyms? |membership |member )?(?:over )?(?:to |at |with |of |for )?(?:(?:the|a) (?:\w+ )?(?:gym|club|place) (?:called|named) )?(?:the )?"
    rf"(?P<value>(?-i:[A-Z][\w'&]*(?: [A-Z][\w'&]*)*))(?P<kind> gym| fitness)?{END}",
    "{s} trains at {value}.",
    "health",
    accepts=lambda groups: values.is_value(groups["value"]) and bool(groups["kind"] or _GYM.search(groups["value"])),
)
_on("train exercise lift", "gym", rf"(?:weights )?at (?P<value>{ORGANISATION})", "{s} trains at {value}.", "health")
_on("work", "gym", rf"out at (?P<value>{ORGANISATION})", "{s} trains at {value}.", "health")
_on(
    "join train work sign",
    "gym",
    rf"(?:out )?(?:up )?(?:at|with|for)? ?(?:the|a|an) (?:\w+ )?(?:gym|fitness club)(?: (?:called|named)|,) (?P<value>{ORGANISATION})",
    "{s} trains at {value}.",
    "health",
)
# Family.
_on(
    "be get",
    "marital_status",
    r"(?P<value>married|divorced|engaged|single|widowed|separated)\b(?! (?:with|by|from|out)\b)",
    "{s} is {value}.",
    "family",
)
_on("be get", "partner", rf"(?:married|engaged) to (?P<value>{NAME})", "{s} is together with {value}.", "family")
_on(
    "be",
    "partner",
    rf"(?:together |in a relationship |going out |going steady )with (?P<value>{NAME})",
    "{s} is together with {value}.",
    "family",
)
_on("marry", "partner", rf"(?P<value>{NAME})", "{s} is married to {value}.", "family")
_on("date", "partner", rf"(?P<value>{NAME})", "{s} is dating {value}.", "family")
_on(
    "have",
    "children_count",
    r"(?P<value>one|two|three|four|five|six|\d) (?:\w+ )?(?:kids?|children)\b",
    "{s} has {value} children.",
    "family",
)
_on(
    "have",
    "{kin}",
    rf"(?:an?|another) (?:[\w-]+ ){{0,2}}?{KIN}{_CALLED}? (?P<value>{NAME})",
    "{s} has a {kin} named {value}.",
    "family",
    adds=True,
)
_on(
    "see date",
    "partner",
    rf"(?:(?:an?|this) (?:[\w-]+ )?(?:guy|man|girl|woman|bloke|lad|lady|fella|chap|someone|somebody) (?:called |named )|(?:someone|somebody)(?: new)?,? (?:called |named )?)?(?P<value>{NAME})",
    "{s} is dating {value}.",
    "family",
    told_by=("ing",),
    accepts=lambda groups: values.is_value(groups["value"]) and not groups["value"].lower().startswith("dr"),
)
_on("go", "partner", rf"(?:out|steady) with (?P<value>{NAME})", "{s} is dating {value}.", "family", told_by=("ing",))
_on(
    "have celebrate",
    "age",
    r"(?:my|our|his|her) (?P<value>\d{1,3})(?:st|nd|rd|th) birthday",
    "{s} is {value} years old.",
    "personal",
    outlasts=True,
)
_on("report answer", "manager", rf"to (?P<value>{NAME})", "{s}'s manager is {value}.", "work")
_on("bank", "bank", rf"(?:with|at) (?P<value>{ORGANISATION})", "{s} banks with {value}.", "personal")
_on("support", "team", rf"(?P<value>{ORGANISATION})", "{s} supports {value}.", "preferences")
_on(
    "have welcome adopt get",
    "{kin}",
    rf"(?:an?|another|our|my) (?:[\w-]+ ){{0,3}}?(?P<kin>girl|boy|daughter|son|baby|child|kid)\b{_CALLED} (?P<value>{NAME})",
    "{s} has a {kin} named {value}.",
    "family",
    adds=True,
    outlasts=True,
)
# Animals.
_on(
    "have own adopt get rescue buy bring take welcome rehome keep",
    "pet",
    rf"(?:home )?(?:in )?{_KEPT}{ANIMAL}\b{_CALLED}? (?P<name>{NAME}(?: and {NAME})?)",
    "{s} has a {animal} named {name}.",
    "pets",
    adds=True,
    value="{animal} {name}",
    accepts=_always,
)
_on(
    "have own adopt get rescue buy bring welcome rehome keep",
    "pet",
    rf"(?:home )?(?:in )?{_KEPT}{ANIMAL}\b(?! (?:food|show|toy|bed|person|lover|shelter|park|cafe|sitter|walker|allergy))",
    "{s} has a {animal}.",
    "pets",
    adds=True,
    value="{animal}",
    accepts=_always,
)
# Languages, hobbies.
_on(
    "speak",
    "speaks",
    rf"(?:fluent |some |a little |a bit of |decent |conversational |basic |both )*(?P<value>(?:{LANGUAGES})(?:(?:, | and |, and )(?:{LANGUAGES}))*)\b",
    "{s} speaks {value}.",
    "personal",
    adds=True,
)
_on(
    "be become get",
    "speaks",
    rf"(?:fluent|bilingual|conversational|trilingual) in (?P<value>(?:{LANGUAGES})(?:(?:, | and |, and )(?:{LANGUAGES}))*)\b",
    "{s} speaks {value}.",
    "personal",
    adds=True,
)
_on(
    "learn study practise practice start take begin pick do have",
    "learning",
    rf"(?:up )?(?:to play |to speak |the |some |a bit of |a little )*(?P<value>{LANGUAGES}|{INSTRUMENTS})(?P<lessons> (?:lessons|classes))?\b",
    "{s} is learning {value}.",
    "hobbies",
    adds=True,
)
_on("play", "plays", rf"(?:the )?(?P<value>{INSTRUMENTS}|{SPORTS})\b", "{s} plays {value}.", "hobbies", adds=True)
_on("take", "hobby", rf"up (?:the )?(?P<value>{NOUN}){END}", "{s} does {value}.", "hobbies", adds=True, accepts=_is_hobby)
_on(
    "get",
    "hobby",
    rf"(?:really |very |back )?into (?:the )?(?P<value>(?:\w+ )?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=_is_hobby,
)
_on(
    "start begin",
    "hobby",
    rf"(?:doing |some |a bit of )?(?P<value>{_PRACTICES}|(?:(?:rock|indoor|open|cold|wild|bird|long|trail|salsa|ballroom|wood|water|landscape|street) ?)?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=_is_hobby,
)
_on(
    "do practise practice",
    "hobby",
    rf"(?:some |a bit of )?(?P<value>{_PRACTICES}|(?!(?:something|nothing|anything)\b)\w+(?<!th)ing)\b(?! (?:well|fine|ok|great|my|the|a|for|so|it)\b)",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=_is_hobby,
)
_on(
    "go",
    "hobby",
    rf"(?P<value>\w+ing)(?= (?:every|each|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|most|twice|once|at (?:the )?weekends?|regularly|a lot|whenever))",
    "{s} goes {value}.",
    "hobbies",
    adds=True,
    accepts=_is_hobby,
)
_on(
    "pick",
    "hobby",
    rf"up (?:the )?(?P<value>{_PRACTICES}|{SPORTS}|(?:\w+ )?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=_is_hobby,
)
_on("volunteer", "volunteering", rf"(?:at|with|for) (?:the |a |an )?(?P<value>{NOUN}){END}", "{s} volunteers at the {value}.", "personal", adds=True)
# Things.
_on("drive", "vehicle", rf"{_DET} {_VEHICLE}", "{s} drives a {value}.", "personal", accepts=_is_vehicle)
_on("buy get have own lease", "vehicle", rf"{_DET} {_VEHICLE}", "{s} has a {value}.", "personal", adds=True, accepts=_is_vehicle)
_on(
    "trade swap exchange replace upgrade switch",
    "vehicle",
    rf"(?:in )?(?:{_DET} )?.{{0,30}}?(?:for|to|with) {_DET} {_VEHICLE}",
    "{s} drives a {value}.",
    "personal",
    accepts=_is_vehicle,
)
_on(
    "have use get buy switch upgrade change move",
    "phone_model",
    rf"(?:to |over to )?(?:{_DET} )?(?:(?:new |old |second |work |another )*(?:phone|mobile|handset)?,? ?(?:an? )?)(?:new |old )?{_PHONE}",
    "{s}'s phone is a {value}.",
    "personal",
)
# Names.
_on("change", "name", rf"(?:my|his|her) (?:last |first |sur|full |legal )?name (?:from {NAME} )?to (?P<value>{NAME})", "{s}'s name is {value}.", "personal")
_on("go", "nickname", rf"by (?:the name )?(?P<value>{NAME})", "{s} goes by {value}.", "personal")
# Tastes: the one attribute whose value is a stance, so that liking and disliking the same thing contradict each other.
_TASTE = rf"(?P<to>to )?(?!(?-i:the )|that |this |get|being )(?P<value>{NOUN}){END}"
_on(
    "love like enjoy adore",
    "taste.{value}",
    rf"{_TASTE}(?! (?:that|who|which|where|when|about)\b)",
    "{s} likes {to} {value}.",
    "preferences",
    value="likes",
    accepts=_is_taste,
)
_on(
    "be",
    "taste.{value}",
    rf"(?:(?:a )?(?:(?:big|huge|great|massive|real) )?(?:fan of|into|fond of|keen on)) {_TASTE}(?! (?:that|who|which|where|when|about)\b)",
    "{s} likes {to} {value}.",
    "preferences",
    value="likes",
    accepts=_is_taste,
)
_on("hate dislike detest", "taste.{value}", _TASTE, "{s} dislikes {to} {value}.", "preferences", value="dislikes", accepts=_is_taste)
# Only what one cannot stand is told, and the denial turns the stance.
_on("stand", "taste.{value}", _TASTE, "{s} dislikes {to} {value}.", "preferences", value="likes", accepts=_is_taste)
