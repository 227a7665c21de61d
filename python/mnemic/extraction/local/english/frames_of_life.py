"""Frames of health, family, animals, pastimes, things and tastes."""

from __future__ import annotations

from functools import partial

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.frame import (
    A_VEHICLE,
    ADJECTIVES,
    CALLED,
    DET,
    DOCTOR,
    GYM,
    KEPT,
    PHONE,
    PRACTICES,
    FrameTable,
    add_frame,
    anything,
    is_hobby,
    is_taste,
    is_vehicle,
)
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
    SPORTS,
)

FRAMES: FrameTable = {}
_on = partial(add_frame, FRAMES)

# Food and health.
_on(
    "be go become turn",
    "diet",
    rf"(?:an? |fully |back to )?(?:strict(?:ly)? |mostly |full |total )?(?P<value>{DIETS})\b(?! options?| food| cheese| friend)",
    "{s} is {value}.",
    "food",
)
_on(
    "go",
    "diet",
    rf"(?:an? |fully |back to )?(?:strict(?:ly)? |mostly |full |total )?(?P<value>{DIETS})\b(?! options?| food| cheese| friend)",
    "{s} is {value}.",
    "food",
    outlasts=True,
)
_on(
    "follow eat be switch change move go convert do start try adopt",
    "diet",
    rf"(?:on |to |over to )?(?:an? |the )?(?:strict(?:ly)? |mostly )?(?P<value>{DIETS})(?: diet| food)?{END}",
    "{s} eats {value}.",
    "food",
)
_on(
    "be go start try",
    "diet",
    r"(?:on )?(?:an? |the )(?:strict )?(?P<value>[\w-]+) diet\b",
    "{s} is on a {value} diet.",
    "food",
)
_on(
    "eat",
    "diet",
    r"(?P<value>meat|fish|everything|dairy|chicken)(?= (?:again|now)\b)",
    "{s} eats {value}.",
    "food",
    accepts=anything,
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
    rf"(?:up )?(?:registered |signed up |a patient )?(?:of |with |to |over to |under |at )?(?:{DET} {ADJECTIVES}(?:doctor|gp|doc|physician),? (?:called |named )?)?(?:{DET} )?{DOCTOR}",
    "{s}'s doctor is Dr {value}.",
    "health",
)
_on(
    "be",
    "doctor",
    rf"(?:registered|signed up|a patient|on the list) (?:of|with|under|at) (?:the )?{DOCTOR}",
    "{s}'s doctor is Dr {value}.",
    "health",
)
_on(
    "go join train work switch change sign be exercise move lift have",
    "gym",
    rf"(?:out )?(?:up )?(?:a |my )?(?:gyms? |membership |member )?(?:over )?(?:to |at |with |of |for )?(?:(?:the|a) (?:\w+ )?(?:gym|club|place) (?:called|named) )?(?:the )?"
    rf"(?P<value>(?-i:[A-Z][\w'&]*(?: [A-Z][\w'&]*)*))(?P<kind> gym| fitness)?{END}",
    "{s} trains at {value}.",
    "health",
    accepts=lambda groups: values.is_value(groups["value"]) and bool(groups["kind"] or GYM.search(groups["value"])),
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
    rf"(?:an?|another) (?:[\w-]+ ){{0,2}}?{KIN}{CALLED}? (?P<value>{NAME})",
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
    rf"(?:an?|another|our|my) (?:[\w-]+ ){{0,3}}?(?P<kin>girl|boy|daughter|son|baby|child|kid)\b{CALLED} (?P<value>{NAME})",
    "{s} has a {kin} named {value}.",
    "family",
    adds=True,
    outlasts=True,
)
# Animals.
_on(
    "have own adopt get rescue buy bring take welcome rehome keep",
    "pet",
    rf"(?:home )?(?:in )?{KEPT}{ANIMAL}\b{CALLED}? (?P<name>{NAME}(?: and {NAME})?)",
    "{s} has a {animal} named {name}.",
    "pets",
    adds=True,
    value="{animal} {name}",
    accepts=anything,
)
_on(
    "have own adopt get rescue buy bring welcome rehome keep",
    "pet",
    rf"(?:home )?(?:in )?{KEPT}{ANIMAL}\b(?! (?:food|show|toy|bed|person|lover|shelter|park|cafe|sitter|walker|allergy))",
    "{s} has a {animal}.",
    "pets",
    adds=True,
    value="{animal}",
    accepts=anything,
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
_on(
    "be",
    "height",
    r"(?P<value>\d (?:foot|feet|ft)(?: \d+)?|\d+ ?(?:cm|m)\b|\d\.\d+ ?m\b|\d'\d+)(?: tall)?",
    "{s} is {value} tall.",
    "personal",
)
_on("play", "plays", rf"(?:the )?(?P<value>{INSTRUMENTS}|{SPORTS})\b", "{s} plays {value}.", "hobbies", adds=True)
_on(
    "take",
    "hobby",
    rf"up (?:the )?(?P<value>{NOUN}){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "get",
    "hobby",
    rf"(?:really |very |back )?into (?:the )?(?P<value>(?:\w+ )?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "start begin",
    "hobby",
    rf"(?:doing |some |a bit of )?(?P<value>{PRACTICES}|(?:(?:rock|indoor|open|cold|wild|bird|long|trail|salsa|ballroom|wood|water|landscape|street) ?)?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "do practise practice",
    "hobby",
    rf"(?:some |a bit of )?(?P<value>{PRACTICES}|(?!(?:something|nothing|anything)\b)\w+(?<!th)ing)\b(?! (?:well|fine|ok|great|my|the|a|for|so|it)\b)",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "go",
    "hobby",
    r"(?P<value>\w+ing)(?= (?:every|each|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|most|twice|once|at (?:the )?weekends?|regularly|a lot|whenever))",
    "{s} goes {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "pick",
    "hobby",
    rf"up (?:the )?(?P<value>{PRACTICES}|{SPORTS}|(?:\w+ )?\w+ing){END}",
    "{s} does {value}.",
    "hobbies",
    adds=True,
    accepts=is_hobby,
)
_on(
    "volunteer",
    "volunteering",
    rf"(?:at|with|for) (?:the |a |an )?(?P<value>{NOUN}){END}",
    "{s} volunteers at the {value}.",
    "personal",
    adds=True,
)
# Things.
_on("drive", "vehicle", rf"{DET} {A_VEHICLE}", "{s} drives a {value}.", "personal", accepts=is_vehicle)
_on(
    "buy get have own lease",
    "vehicle",
    rf"{DET} {A_VEHICLE}",
    "{s} has a {value}.",
    "personal",
    adds=True,
    accepts=is_vehicle,
)
_on(
    "trade swap exchange replace upgrade switch",
    "vehicle",
    rf"(?:in )?(?:{DET} )?.{{0,30}}?(?:for|to|with) {DET} {A_VEHICLE}",
    "{s} drives a {value}.",
    "personal",
    accepts=is_vehicle,
)
_on(
    "have use get buy switch upgrade change move",
    "phone_model",
    rf"(?:to |over to )?(?:{DET} )?(?:(?:new |old |second |work |another )*(?:phone|mobile|handset)?,? ?(?:an? )?)(?:new |old )?{PHONE}",
    "{s}'s phone is a {value}.",
    "personal",
)
# Names.
_on(
    "change",
    "name",
    rf"(?:my|his|her) (?:last |first |sur|full |legal )?name (?:from {NAME} )?to (?P<value>{NAME})",
    "{s}'s name is {value}.",
    "personal",
)
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
    accepts=is_taste,
)
_on(
    "be",
    "taste.{value}",
    rf"(?:(?:a )?(?:(?:big|huge|great|massive|real) )?(?:fan of|into|fond of|keen on)) {_TASTE}(?! (?:that|who|which|where|when|about)\b)",
    "{s} likes {to} {value}.",
    "preferences",
    value="likes",
    accepts=is_taste,
)
_on(
    "hate dislike detest",
    "taste.{value}",
    _TASTE,
    "{s} dislikes {to} {value}.",
    "preferences",
    value="dislikes",
    accepts=is_taste,
)
# Only what one cannot stand is told, and the denial turns the stance.
_on("stand", "taste.{value}", _TASTE, "{s} dislikes {to} {value}.", "preferences", value="likes", accepts=is_taste)
# What somebody does as a habit: of each verb a slot of its own, with as many values as there are.
for _verb, _attribute in (
    ("collect", "collects"),
    ("grow", "grows"),
    ("coach", "coaches"),
    ("teach", "teaches"),
    ("brew", "brews"),
    ("breed", "breeds"),
    ("restore", "restores"),
):
    _on(
        _verb,
        _attribute,
        rf"(?:the |some |my |our |old |vintage )*(?P<value>(?!up\b|my\b|me\b)[\w'-]+(?: (?!at|in|on|for|with|and|as|to|too|again|now|these|instead)[\w'-]+)?){END}",
        f"{{s}} {_attribute} {{value}}.",
        "hobbies",
        adds=True,
    )
