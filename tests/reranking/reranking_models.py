"""A tiny cross-encoder that really reads pairs: it counts which tokens of the query come back in the text."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = (
    "she",
    "he",
    "the",
    "a",
    "eats",
    "lives",
    "in",
    "paris",
    "rome",
    "apples",
    "tea",
    "bread",
    "dog",
    "cat",
    "likes",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SLOPE, OFFSET = 2.0, -3.0
# A text of more tokens keeps the endless model busy for ever.
ENDLESS_ABOVE = 12


def expected(query, text):
    """The score by hand: the logistic of 2 * (pairs of equal known words) - 3."""
    known = [word for word in query.split() if word in WORDS]
    matches = sum(known.count(word) for word in text.split())
    return 1 / (1 + math.exp(-(SLOPE * matches + OFFSET)))


def write_tokenizer(directory):
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(directory / "tokenizer.json"))


def write_model(directory, *, inputs=INPUTS, output="logits", shape="column", kind=TensorProto.FLOAT, scale=1.0):
    """Shapes: `column` (batch, 1), `flat` (batch,), `two` (batch, 2) whose softmax is the same, `three`, `tokens`."""
    last = {
        "column": [],
        "flat": [helper.make_node("Squeeze", ["column", "one"], ["flat"])],
        "two": [
            helper.make_node("Mul", ["column", "halves"], ["two"]),
        ],
        "three": [helper.make_node("Concat", ["column", "column", "column"], ["three"], axis=1)],
        "tokens": [helper.make_node("Cast", ["input_ids"], ["tokens"], to=TensorProto.FLOAT)],
    }[shape]
    save(
        directory,
        [*_overlap(), *last, helper.make_node("Cast", [shape], [output], to=kind)],
        inputs,
        output,
        kind,
        scale,
    )


def _overlap():
    """(batch, 1): slope * how many pairs (query token, text token) are equal words + offset."""
    node = helper.make_node
    return [
        node("Cast", ["token_type_ids"], ["is_text"], to=TensorProto.BOOL),
        node("Not", ["is_text"], ["is_query"]),
        # [PAD], [UNK], [CLS] and [SEP] are no words; what is masked counts for nothing.
        node("Greater", ["input_ids", "three_id"], ["is_word"]),
        node("Cast", ["attention_mask"], ["is_there"], to=TensorProto.BOOL),
        node("And", ["is_word", "is_there"], ["counts"]),
        node("And", ["counts", "is_query"], ["asks"]),
        node("And", ["counts", "is_text"], ["tells"]),
        node("Unsqueeze", ["asks", "two_axis"], ["asking"]),
        node("Unsqueeze", ["tells", "one"], ["telling"]),
        node("And", ["asking", "telling"], ["pairs"]),
        node("Unsqueeze", ["input_ids", "two_axis"], ["rows"]),
        node("Unsqueeze", ["input_ids", "one"], ["columns"]),
        node("Equal", ["rows", "columns"], ["same"]),
        node("And", ["same", "pairs"], ["matches"]),
        node("Cast", ["matches"], ["numbers"], to=TensorProto.FLOAT),
        node("ReduceSum", ["numbers", "last_axes"], ["sums"], keepdims=0),
        node("Unsqueeze", ["sums", "one"], ["sum_column"]),
        node("Mul", ["sum_column", "slope"], ["scaled"]),
        node("Add", ["scaled", "offset"], ["column"]),
    ]


def write_endless_model(directory):
    """For texts beyond `ENDLESS_ABOVE` tokens its loop ends only when somebody ends it."""
    node = helper.make_node
    body = helper.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("Add", ["value", "step"], ["value_out"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value_out", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.array(0.0, np.float32), "step")],
    )
    nodes = [
        *_overlap(),
        node("Shape", ["input_ids"], ["shape"]),
        node("Gather", ["shape", "index_1"], ["length"]),
        node("Greater", ["length", "endless_above"], ["is_long"]),
        node("Where", ["is_long", "for_ever", "once"], ["turns"]),
        node("Loop", ["turns", "yes", "column"], ["logits"], body=body),
    ]
    save(directory, nodes, INPUTS, "logits", TensorProto.FLOAT, 1.0)


def save(directory, nodes, inputs, output, kind, scale):
    constants = {
        "three_id": np.array(3, np.int64),
        "one": np.array([1], np.int64),
        "two_axis": np.array([2], np.int64),
        "last_axes": np.array([1, 2], np.int64),
        "slope": np.array(SLOPE * scale, np.float32),
        "offset": np.array(OFFSET * scale, np.float32),
        "halves": np.array([[-0.5, 0.5]], np.float32),
        "index_1": np.array(1, np.int64),
        "endless_above": np.array(ENDLESS_ABOVE, np.int64),
        "for_ever": np.array(1 << 62, np.int64),
        "once": np.array(1, np.int64),
        "yes": np.array(True),
    }
    read = {name for node in nodes for name in node.input}
    # A model that is not given a mask or types does without: here they are then constants of the right shape.
    absent = [name for name in INPUTS if name not in inputs]
    given = []
    for name in absent:
        given += [
            helper.make_node("Shape", ["input_ids"], [f"{name}_shape"]),
            helper.make_node(
                "ConstantOfShape",
                [f"{name}_shape"],
                [name],
                value=numpy_helper.from_array(np.array([1 if name == "attention_mask" else 0], np.int64)),
            ),
        ]
    graph = helper.make_graph(
        [*given, *nodes],
        "overlap",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info(output, kind, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, directory / "model.onnx")
