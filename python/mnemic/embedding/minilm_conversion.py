"""From the published weights of all-MiniLM-L6-v2 to the int8 model that runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.numpy import load_file
from tokenizers import Tokenizer

from mnemic.embedding.bert_onnx import build_bert_int8
from mnemic.embedding.calibration import BertConfig, calibration_texts, channel_ranges
from mnemic.embedding.minilm import MAX_TOKENS, MODEL_FILE, TOKENIZER_FILE
from mnemic.embedding.sources import Progress


def convert_minilm(published: Path, target: Path, progress: Progress) -> None:
    """Writes `model.onnx` and `tokenizer.json`.

    Equal inputs give equal bytes on one machine. On another, sums in the calibration may round differently in the last
    bit, which is far below the quantisation; the model's identity therefore names its inputs and not these bytes.

    Args:
        published: Holds `model.safetensors`, `tokenizer.json` and `config.json`, verified.
        target: An empty directory.
        progress: Told (step, fraction of that step).
    """
    tokenizer = Tokenizer.from_file(str(published / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    token_ids = [encoding.ids for encoding in tokenizer.encode_batch(calibration_texts())]
    weights = load_file(published / "model.safetensors")
    config = BertConfig.read(published / "config.json")
    ranges = channel_ranges(weights, config, token_ids, lambda fraction: progress("Calibrating", fraction))
    progress("Quantising", 0.0)
    (target / MODEL_FILE).write_bytes(build_bert_int8(weights, config, ranges, max_tokens=MAX_TOKENS))
    shutil.move(published / TOKENIZER_FILE, target / TOKENIZER_FILE)
    progress("Quantising", 1.0)
