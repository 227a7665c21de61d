"""Sentences as agents hear them; none of them took part in the calibration of the model."""

import json
from pathlib import Path

_CONVERSATION = Path(__file__).parents[2] / "examples" / "conversation" / "conversation.jsonl"

SENTENCES = [
    "She moved to Porto two years ago and still misses the snow.",
    "Can you remind me which medication my father takes for his blood pressure?",
    "I finally finished the quilt for my niece, it took me eleven months!",
    "We agreed that the invoices go out on the last Friday of every month.",
    "Do you remember the name of the hotel where we stayed in Granada?",
    "My daughter is allergic to penicillin, please write that down.",
    "He sold his motorcycle in April because he needed money for the move.",
    "The deployment failed again, this time because the certificate had expired.",
    "Let's go hiking next weekend if the weather is good.",
    "That's so kind of you, thank you for listening to me.",
    "I'd like my coffee black, no sugar, and not too hot.",
    "Since the accident she has not driven a car.",
    "What did Tom say about the budget in yesterday's call?",
    "Our anniversary is on the 12th of November.",
    "I've been volunteering at the animal shelter every Saturday since January.",
    "The new intern speaks Korean and Spanish and plays chess very well.",
    "You're welcome! Have a safe trip home.",
    "He wants to switch from Java to Rust for the parser, but the others are not convinced.",
    "I cried at the end of the film, which does not happen often.",
    "My favourite restaurant closed, so where should we celebrate?",
    "Gina's dog Pepper hates thunderstorms and hides under the bed.",
    "The kids built a huge sandcastle, then the tide came in and washed it away.",
    "Honestly, I would rather work remotely than commute two hours a day.",
    "Their first album came out in 1998 and sold three million copies.",
    "Please speak slowly, my hearing aid is at the repair shop.",
    "Which of the two offers did you accept in the end?",
    "I wonder how she manages to stay so calm when everybody around her is shouting.",
    "The doctor told me to avoid salt, so I started to cook with herbs and lemon instead.",
    "As a child I spent every summer on my uncle's farm, where I learnt to swim, to milk a cow and to be bored.",
    "Thanks, that makes sense to me now.",
]

# What people type and paste, and what tokenizers trip over.
ODD_TEXTS = [
    "",
    " ",
    "\n\t",
    "\0",
    "?",
    "no",
    "x = 1; y = 2  # done",
    "東京タワーへ行きました。",
    "Ελλάδα, Україна, ישראל, العربية, हिन्दी, ภาษาไทย",
    "naïve café coöperate Zoë",
    "nai\u0308ve cafe\u0301",
    "👍🏽👨‍👩‍👧‍👦 great!",
    "ﬁne ①②③ ½ ㎏ Ⅻ",
    "\ufeffwith a mark at the start",
    "zero\u200bwidth and soft\u00adhyphen",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "<s> </s> <unk> <0x41>",
    "a" * 300,
    "https://example.org/a/b?c=d&e=f#g",
    "error 0x80070005 in module kernel32.dll at 12/05/2023 23:59:59.999",
    "word " * 2000,
    "tree " * 254,
    "tree " * 255,
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff \U000e0001",
]


def conversation() -> list[str]:
    """398 messages of the conversation that comes as an example."""
    lines = _CONVERSATION.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["body"] for line in lines]
