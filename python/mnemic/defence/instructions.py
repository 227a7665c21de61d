"""Text that reads as an instruction to a model rather than as something said to a person.

What is found here is not hidden or refused: its memory is marked untrusted, so that it is quoted and never followed.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

# Bounded throughout: no pattern looks further than some hundred characters from where a word of it stands.
_COMMANDS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|neglect|skip)\b[^.!?\n]{0,40}?"
    r"\b(?:previous|prior|above|earlier|preceding|foregoing|all|any|your|the|system|safety|every)\b[^.!?\n]{0,30}?"
    r"\b(?:instructions?|prompts?|rules|directions?|directives?|guidelines?|guardrails?|programming|restrictions?)\b"
    r"|\bforget (?:everything|all)\b[^.!?\n]{0,20}\b(?:above|before|told|said|know)\b"
    r"|\byou (?:are|will be|must be|shall be) now\b[^.!?\n]{0,60}"
    r"\b(?:dan|unrestricted|unfiltered|jailbroken|developer mode|admin|root|ai|assistant|model|system)\b"
    r"|\b(?:enter|enable|activate|switch to)\b[^.!?\n]{0,20}\b(?:developer|god|dan|jailbreak) mode\b"
    r"|\b(?:new|updated|revised|real|actual|true|important|urgent|hidden) (?:system )?(?:instructions?|directives?|prompt)\s{0,3}:"
    r"|\b(?:reveal|print|repeat|show|output|leak|disclose|display|tell me|give me|send)\b[^.!?\n]{0,40}?"
    r"\b(?:system prompt|hidden prompt|initial prompt|(?:initial|hidden|original|your) instructions?|api keys?|credentials)\b"
    r"|\b(?:do not|don't|never)\b[^.!?\n]{0,20}?\b(?:tell|inform|mention|reveal|alert|notify|let)\b[^.!?\n]{0,30}?\b(?:the )?user\b"
    r"|\bwithout (?:telling|informing|asking|notifying|alerting) (?:the |your )?user\b"
    r"|\b(?:send|forward|post|upload|exfiltrate|email|transmit)\b[^.!?\n]{0,60}?"
    r"\b(?:conversation|chat history|memor(?:y|ies)|history|credentials|passwords?|secrets?|api keys?|tokens?)\b"
    r"[^!?\n]{0,40}?(?:https?://|\bto\b[^!?\n]{0,30}@)"
    r"|\b(?:ai|assistant|agent|llm|model|chatbot)s?\b[^.!?\n]{0,30}?\b(?:reading|processing|parsing|summari[sz]ing) this\b"
    r"|\bif you are an? (?:ai|llm|language model|assistant|agent|bot)\b"
    r"|\bfrom now on\b[^.!?\n]{0,40}?\byou (?:will|must|are|shall|should)\b",
)
# The same first of them in the languages that it is met in the most.
_COMMANDS_ELSEWHERE = re.compile(
    r"\bignorier\w{0,3}\b.{0,30}?\b(?:anweisung|regeln|vorgaben|instruktion)"
    r"|\bvergiss\b.{0,30}?\b(?:anweisung|regeln|vorgaben|instruktion)"
    r"|\b(?:ignor|oubli)\w{1,4}\b.{0,30}?\b(?:instructions|consignes|règles)"
    r"|\b(?:ignor|olvid|desatiend)\w{1,4}\b.{0,30}?\b(?:instrucciones|reglas|indicaciones)"
    r"|\b(?:ignor|esque)\w{1,4}\b.{0,30}?\b(?:instruções|regras)"
    r"|\b(?:ignor|dimentic)\w{1,4}\b.{0,30}?\b(?:istruzioni|regole)"
    r"|\b(?:игнорир|забуд)\w{1,6}\b.{0,30}?\b(?:инструкци|указани|правил)"
    r"|(?:忽略|无视|忘记|忽視|無視).{0,12}?(?:指令|指示|说明|提示|规则|規則)"
    r"|(?:指示|命令|ルール).{0,8}?(?:無視|忘れ)"
    r"|(?:지시|명령|규칙).{0,8}?(?:무시|잊)",
)
_MARKERS = re.compile(
    r"<\|(?:im_start|im_end|im_sep|system|user|assistant|developer|endoftext|end|eot_id|start_header_id|end_header_id"
    r"|begin_of_text|channel|message|tool)\|>"
    r"|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|\[(?:system_prompt|available_tools|tool_calls|tool_results)\]"
    r"|</?(?:system|system_prompt|system-reminder|instructions?|untrusted|memory|assistant|developer)>"
    r"|</?(?:\w{1,20}:)?(?:tool_call|tool_use|tool_response|function_calls?|function_results?|invoke)[\s>]"
    r"|^[ \t]{0,8}(?:#{1,6} ?|\*\*)?(?:system|developer)(?: (?:prompt|message|instructions?|override|note))?(?:\*\*)?[ \t]{0,3}:"
    r"|^[ \t]{0,8}#{2,6} ?(?:instructions?|system)\b"
    r"|\"(?:tool_calls|function_call)\"\s{0,4}:|\"name\"\s{0,4}:\s{0,4}\"[\w.\-]{1,64}\"\s{0,4},\s{0,4}\"(?:arguments|parameters)\"\s{0,4}:",
    re.MULTILINE,
)
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_INVISIBLES = re.compile(f"[{_INVISIBLE}\ufe00-\ufe0f]")
# Longer than any script or picture needs: it is there to carry something.
_HIDDEN_RUN = re.compile(f"[{_INVISIBLE}]{{8}}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{{4}}")
_OVERRIDES = re.compile("[\u202d\u202e]")
_TAGS = re.compile("[\U000e0020-\U000e007e]{2,}+")
# The flags of England, Scotland, Wales and the like: a black flag, tags, and the tag that ends them.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{2,7}\U000e007f")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{24,65536}+={0,2}")


def reads_as_instruction(text: str) -> bool:
    """Whether a text, what it hides or what it encodes addresses a model: commands, marks of roles, calls of tools."""
    if _reads_so(text.casefold()):
        return True
    if text.isascii():
        return _encodes_one(text)
    if _HIDDEN_RUN.search(text) is not None or _OVERRIDES.search(text) is not None:
        return True
    shown = _FLAG.sub("", text)
    if _TAGS.search(shown) is not None:
        return True
    plain = unicodedata.normalize("NFKC", _INVISIBLES.sub("", shown))
    return (plain != text and _reads_so(plain.casefold())) or _encodes_one(plain)


def _reads_so(text: str) -> bool:
    return any(pattern.search(text) is not None for pattern in (_COMMANDS, _MARKERS, _COMMANDS_ELSEWHERE))


def _encodes_one(text: str) -> bool:
    """Whether a piece of it is base 64 of a text that reads so, one level deep."""
    for found in _ENCODED.finditer(text):
        bare = found[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            decoded = base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        if _reads_so(decoded.casefold()):
            return True
    return False
