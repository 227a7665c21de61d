"""Frames of where somebody lives, works and learns."""

from __future__ import annotations

from functools import partial

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.frame import (
    ADJECTIVES,
    AS_JOB,
    AT_ORGANISATION,
    DET,
    DWELLING,
    HOME_PLACE,
    IN_DWELLING,
    JOB_NOUN,
    NUMBER_WORDS,
    SCHOOL,
    WHERE,
    FrameTable,
    add_frame,
    anything,
    is_home,
    is_job,
    is_organisation,
    is_project,
    is_subject,
    tells_job,
)
from mnemic.extraction.local.english.values import (
    END,
    NAME,
    NOUN,
    ORGANISATION,
    PLACE,
)

FRAMES: FrameTable = {}
_on = partial(add_frame, FRAMES)

# Where one lives.
_on(
    "live reside dwell settle base stay",
    "home",
    rf"{WHERE}(?:in|into|near|outside|just outside) {IN_DWELLING}{HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on(
    "be",
    "home",
    rf"(?:based|settled|living|resident) {WHERE}(?:in|near|outside) {HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on(
    "move relocate emigrate",
    "home",
    rf"{WHERE}(?:in with [\w' ]+? )?(?:(?:out of|from) (?:{DET} )?[\w', -]+? )?{WHERE}(?:in|to|into) {IN_DWELLING}{HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on(
    "buy rent get find sign",
    "home",
    rf"(?:the lease (?:on|for) |the keys (?:to|for) )?{DET} {ADJECTIVES}{DWELLING} {WHERE}(?:in|near) {HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on(
    "be become",
    "home",
    rf"(?:officially |proud |now |a |an |the )*(?P<value>{PLACE}) (?:residents?|locals?|dwellers?|homeowners?|based)\b",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on("call", "home", rf"(?P<value>{PLACE}) (?:my |our )?home\b", "{s} lives in {value}.", "personal", accepts=is_home)
_on(
    "get make find",
    "home",
    rf"(?:{DET} )?(?:new )?(?:home|life) (?:for (?:myself|ourselves) )?in {HOME_PLACE}",
    "{s} lives in {value}.",
    "personal",
    accepts=is_home,
)
_on(
    "live be reside",
    "address",
    r"at (?P<value>(?:(?:number |no\.? ?)?\d+\w?(?:,? (?-i:[A-Z][\w'-]*))+|number \d+\w?\b)|(?-i:(?:[A-Z][\w'-]* )+)\d+)",
    "{s}'s address is {value}.",
    "personal",
)
_on(
    "be come",
    "origin",
    rf"(?:originally )?from (?P<value>{PLACE})",
    "{s} is from {value}.",
    "personal",
    accepts=is_home,
)
_on("grow", "hometown", rf"up in (?P<value>{PLACE})", "{s} grew up in {value}.", "personal", outlasts=True)
_on("be", "hometown", rf"raised in (?P<value>{PLACE})", "{s} grew up in {value}.", "personal", outlasts=True)
_on("be", "birthplace", rf"born in (?P<value>{PLACE})", "{s} was born in {value}.", "personal", outlasts=True)
_on("be", "birthday", rf"born on (?P<value>{values.DATE})", "{s} was born on {value}.", "personal", outlasts=True)
_on("be", "birth_year", r"born in (?P<value>(?:19|20)\d\d)\b", "{s} was born in {value}.", "personal", outlasts=True)
_on(
    "be turn",
    "age",
    rf"(?P<value>\d{{1,3}}|{NUMBER_WORDS})(?: years old| yo| y/o|-years-old)?(?=\s*(?:$|[,.;!]|\b(?:and|last|this|on|in|yesterday|today|now|already|not|but|years)\b))",
    "{s} is {value} years old.",
    "personal",
)
# Work.
_on("work", "job", rf"{AS_JOB}(?P<value>{NOUN}){END}", "{s} works as a {value}.", "work")
_on(
    "start begin get take land accept find pick have do",
    "job",
    rf"(?:up |on )?(?:{DET} {ADJECTIVES}{JOB_NOUN} |work(?:ing)? )?{AS_JOB}(?P<value>{NOUN}){END}",
    "{s} works as a {value}.",
    "work",
)
_on(
    "train qualify retrain register",
    "job",
    rf"{AS_JOB}(?P<value>{NOUN}){END}",
    "{s} is a {value}.",
    "work",
    accepts=tells_job,
)
_on(
    "get be",
    "job",
    rf"(?:promoted|bumped up|moved up) to (?:{DET} )?(?P<value>{NOUN}(?: of {NOUN})?){END}",
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
    accepts=lambda groups: (
        values.is_value(groups["value"]) and groups["value"].lower() not in ("lead", "head", "partner", "principal")
    ),
)
_on(
    "earn serve moonlight do",
    "job",
    rf"[\w ]{{0,30}}?\bas an? (?P<value>{NOUN}){END}",
    "{s} works as a {value}.",
    "work",
    accepts=tells_job,
)
_on(
    "be become",
    "job",
    rf"(?:an?|the|also an?|now an?|one of the) (?P<value>{NOUN}){END}",
    "{s} is a {value}.",
    "work",
    accepts=tells_job,
)
_on(
    "work",
    "employer",
    rf"(?:(?:{AS_JOB}{NOUN}|full[- ]time|part[- ]time|over|remotely|in [a-z]+) )*(?:at|for|with) {AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=is_organisation,
)
_on(
    "start begin get take land accept have find pick",
    "employer",
    rf"(?:up |on )?(?:working )?(?:{DET} {ADJECTIVES}{JOB_NOUN} )?(?:{AS_JOB}{NOUN} )?(?:over )?(?:at|for|with|from) {AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=is_organisation,
)
_on(
    "be",
    "employer",
    rf"(?:an?|the) (?P<job>{NOUN}) (?:at|for|with) {AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=lambda groups: is_job(groups["job"]) and "student" not in groups["job"].lower() and is_organisation(groups),
)
_on(
    "jump move",
    "employer",
    rf"(?:ship |over )(?:to )?{AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=is_organisation,
)
_on("join", "employer", AT_ORGANISATION, "{s} works at {value}.", "work", accepts=is_organisation)
_on(
    "be get",
    "employer",
    rf"(?:now )?(?:employed|hired|recruited|headhunted|poached|taken on) (?:at|by|with) {AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=is_organisation,
    outlasts=True,
)
_on(
    "accept",
    "employer",
    rf"{DET} {ADJECTIVES}offer (?:from|at|with) {AT_ORGANISATION}",
    "{s} works at {value}.",
    "work",
    accepts=is_organisation,
)
_on(
    "work",
    "project",
    rf"on {DET} (?:new |own )?(?P<value>{NOUN})(?: project)?{END}",
    "{s} is working on a {value}.",
    "work",
    adds=True,
    accepts=is_project,
)
_on(
    "work be lead manage run get join",
    "project",
    rf"(?:put |assigned |moved |working |staffed )?(?:on |to |onto )?(?:{DET} )?(?:\w+ )?(?:project,? (?:called |named )?(?P<named>{NAME})|(?P<of>{NAME}) project)\b",
    "{s} works on the project {value}.",
    "work",
    value="{named}{of}",
    accepts=anything,
)
_on("work", "project", rf"on (?P<value>{NAME}){END}", "{s} works on the project {value}.", "work")
# Education.
_on(
    "attend go transfer move switch change enrol enroll register start",
    "school",
    rf"(?:school )?(?:over )?(?:at |to |in )?(?:the )?{SCHOOL}",
    "{s} attends {value}.",
    "education",
)
_on(
    "be",
    "school",
    rf"(?:enrolled|registered|a student|studying) (?:at|in|with) (?:the )?{SCHOOL}",
    "{s} attends {value}.",
    "education",
)
_on(
    "do take study finish start begin",
    "school",
    rf"(?:{DET} )?{ADJECTIVES}(?:classes|class|courses?|degree|master's|masters|phd|doctorate|bachelor's|undergrad|mba|lessons)(?: in {NOUN})? (?:at|with) (?:the )?(?P<value>{ORGANISATION})",
    "{s} attends {value}.",
    "education",
)
_on(
    "have get do finish complete earn hold",
    "degree",
    rf"(?:{DET} |my )?(?:second |first |third |new )?(?:degree|master's|masters|phd|doctorate|bachelor's|diploma|ba|bsc|msc)(?: degree)? in (?P<value>{NOUN}){END}",
    "{s} has a degree in {value}.",
    "education",
    adds=True,
    outlasts=True,
)
_on("study", "school", rf"(?:{NOUN} )?(?:at|with) (?:the )?{SCHOOL}", "{s} attends {value}.", "education")
_on("be", "school", rf"(?:an? (?:\w+ )?student )?at (?:the )?{SCHOOL}", "{s} attends {value}.", "education")
_on(
    "study",
    "field_of_study",
    rf"(?!for\b|at\b)(?P<value>{NOUN}){END}",
    "{s} studies {value}.",
    "education",
    accepts=is_subject,
)
_on("major", "field_of_study", rf"in (?P<value>{NOUN}){END}", "{s} studies {value}.", "education", accepts=is_subject)
_on(
    "switch change",
    "field_of_study",
    rf"(?:{DET} )?(?:majors?|course|degree|subject) (?:from {NOUN} )?to (?P<value>{NOUN}){END}",
    "{s} studies {value}.",
    "education",
)
_on("graduate", "education", rf"from (?P<value>{ORGANISATION})", "{s} graduated from {value}.", "education", adds=True)
