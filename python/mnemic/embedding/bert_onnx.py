"""A BERT sentence encoder as an int8 ONNX graph, built from the published weights without torch.

The graph takes `input_ids` and `attention_mask` (int64, shape (batch, tokens)) and gives `embedding` (float32, shape
(batch, hidden)): the mean of the token vectors, scaled to length 1.

How it is quantised, and why:

- Weights: int8, symmetric, one scale per output channel; the word table one scale per row.
- Activations: uint8 with scales fixed at conversion (`calibration`). With the usual dynamic scales one token's outlier
  coarsens every other text of the batch (cosine 0.97 between a text alone and in a batch; to the original 0.992 on
  average). With fixed ones a text's vector does not depend on the batch it travels in, and no pass over the activations
  is spent on finding their range.
- Every input channel has a step of its own, moved into the weights: SmoothQuant (Xiao et al. 2023, equation 4),
  step_c ∝ range_c^α / max|w_c|^(1-α).
- The few channels of the feed-forward layer with the largest activations stay in float32, as in LLM.int8()
  (Dettmers et al. 2022): quantising those alone cost more than all the rest together.

The operators are ONNX's and onnxruntime's (domain com.microsoft), all with CPU kernels for integer dot products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mnemic.embedding.calibration import Array, BertConfig, Ranges, Weights

_RUNTIME = "com.microsoft"
_OPSET = 18
_IR_VERSION = 8
_WEIGHT_LIMIT = 127
# Without VNNI an x86 processor adds two products of uint8 and int8 in 16 bits and saturates (vpmaddubsw). Activations
# around 128 reach that with weights up to 127 (simulated: 3 % error in the attention's products), with these hardly
# ever (0.4 %); the price is 0.0002 of cosine to the original.
_SATURATION_FREE_LIMIT = 100
# Activations beyond what was seen at calibration are clipped; this much more is let through.
_RANGE_MARGIN = 1.1
# α of SmoothQuant: how much of an input channel's range moves into the weights.
_SMOOTHING = {"attention": 0.85, "output": 0.6, "intermediate": 0.75, "feed_forward": 0.8}
_FLOAT_CHANNELS = 32
# The value that stands for 0: in the middle, or for GELU, which never goes below -0.17, near the lower end.
_CENTRED_ZERO = 128
_GELU_ZERO = 32
_GELU_MINIMUM = 0.17


def build_bert_int8(weights: Weights, config: BertConfig, ranges: Ranges, *, max_tokens: int) -> bytes:
    """Builds the graph.

    Args:
        weights: By their names in the published file; float32.
        config: The encoder's shape.
        ranges: From `calibration.channel_ranges`.
        max_tokens: The longest input; the position table ends there.

    Returns:
        The serialised ONNX model; equal bytes for equal arguments.
    """
    return _BertGraph(weights, config, ranges).build(max_tokens)


@dataclass(frozen=True, slots=True)
class _Product:
    """Names of what an integer matrix product takes."""

    x: str
    zero: str
    weight: str
    scales: str
    bias: str


class _BertGraph:
    def __init__(self, weights: Weights, config: BertConfig, ranges: Ranges) -> None:
        self._weights = weights
        self._config = config
        self._ranges = ranges
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self, max_tokens: int) -> bytes:
        self._node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        x = self._embeddings(max_tokens)
        for layer in range(self._config.layers):
            x = self._layer(layer, x)
        self._pooling(x)
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self._config.hidden])
        graph = helper.make_graph(self._nodes, "bert_int8", inputs, [output], list(self._constants.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_RUNTIME, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="mnemic")
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        *,
        domain: str = "",
        **attributes: int | float,
    ) -> str:
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self._nodes.append(helper.make_node(operator, list(inputs), names, None, None, domain, None, **attributes))
        return names[0]

    def _embeddings(self, max_tokens: int) -> str:
        table, scales = _quantise(self._weights["embeddings.word_embeddings.weight"], axis=1)
        self._node("Gather", [self._constant("words", table), "input_ids"], "words_int8", axis=0)
        self._node("Cast", ["words_int8"], "words_float", to=TensorProto.FLOAT)
        self._node("Gather", [self._constant("word_scales", scales), "input_ids"], "words_scale", axis=0)
        self._node("Mul", ["words_float", "words_scale"], "words_value")
        # All tokens are of the first type, so its vector is part of every position's.
        positions = self._weights["embeddings.position_embeddings.weight"][:max_tokens]
        positions = positions + self._weights["embeddings.token_type_embeddings.weight"][0]
        self._node("Shape", ["input_ids"], "tokens", start=1, end=2)
        zero = self._constant("zero", np.array([0], np.int64))
        self._node("Slice", [self._constant("positions", positions), zero, "tokens", zero], "positions_value")
        self._node("Add", ["words_value", "positions_value"], "embedded")
        return self._node(
            "LayerNormalization",
            ["embedded", *self._gain_and_bias("embeddings.LayerNorm")],
            "layer0",
            axis=-1,
            epsilon=self._config.epsilon,
        )

    def _layer(self, layer: int, x: str) -> str:
        prefix = f"encoder.layer.{layer}"
        context = self._attention(layer, x)
        attended = self._product(
            f"{layer}.output", context, *self._matrix(f"{prefix}.attention.output.dense"), f"{layer}.attended"
        )
        middle = self._residual(f"{prefix}.attention.output.LayerNorm", attended, x, f"{layer}.middle")
        fed = self._feed_forward(layer, middle)
        return self._residual(f"{prefix}.output.LayerNorm", fed, middle, f"layer{layer + 1}")

    def _attention(self, layer: int, x: str) -> str:
        name = f"{layer}.attention"
        parts = [self._matrix(f"encoder.layer.{layer}.attention.self.{part}") for part in ("query", "key", "value")]
        matrix = np.concatenate([part[0] for part in parts], axis=1)
        product = self._quantised(name, x, matrix, np.concatenate([part[1] for part in parts]))
        weight_zero = self._constant(f"{name}.weight_zero", np.zeros(matrix.shape[1], np.int8))
        return self._node(
            "QAttention",
            [product.x, product.weight, product.bias, self._unit(), product.scales, "mask", product.zero, weight_zero],
            f"{layer}.context",
            domain=_RUNTIME,
            num_heads=self._config.heads,
        )

    def _feed_forward(self, layer: int, x: str) -> str:
        prefix = f"encoder.layer.{layer}"
        inner, inner_bias = self._matrix(f"{prefix}.intermediate.dense")
        outer, outer_bias = self._matrix(f"{prefix}.output.dense")
        order = np.argsort(-self._ranges[f"{layer}.feed_forward"], kind="stable")
        hot, cold = np.sort(order[:_FLOAT_CHANNELS]), np.sort(order[_FLOAT_CHANNELS:])

        name = f"{layer}.float"
        self._node("MatMul", [x, self._constant(f"{name}.inner", inner[:, hot])], f"{name}.product")
        bias = self._constant(f"{name}.bias", inner_bias[hot])
        self._node("BiasGelu", [f"{name}.product", bias], f"{name}.gelu", domain=_RUNTIME)
        self._node("MatMul", [f"{name}.gelu", self._constant(f"{name}.outer", outer[hot])], f"{name}.out")

        self._product(f"{layer}.intermediate", x, inner[:, cold], inner_bias[cold], f"{layer}.inner")
        self._node("Gelu", [f"{layer}.inner"], f"{layer}.gelu", domain=_RUNTIME)
        gelu = f"{layer}.gelu"
        self._product(f"{layer}.feed_forward", gelu, outer[cold], outer_bias, f"{layer}.outer", channels=cold)
        return self._node("Add", [f"{layer}.outer", f"{name}.out"], f"{layer}.fed")

    def _product(
        self, name: str, x: str, matrix: Array, bias: Array, output: str, *, channels: NDArray[np.int64] | None = None
    ) -> str:
        """The product of x and the matrix, plus the bias, in integers."""
        product = self._quantised(name, x, matrix, bias, channels=channels)
        return self._node(
            "MatMulIntegerToFloat",
            [product.x, product.weight, self._unit(), product.scales, product.zero, "", product.bias],
            output,
            domain=_RUNTIME,
        )

    def _quantised(
        self, name: str, x: str, matrix: Array, bias: Array, *, channels: NDArray[np.int64] | None = None
    ) -> _Product:
        """Quantises x to uint8, and the matrix to int8 with one scale per column.

        Since x ≈ step · (uint8 - zero), the steps are multiplied into the rows of the matrix.

        Returns:
            The names of the quantised x, and of its zero point, the weight, its scales and the bias.
        """
        product = name.split(".")[1]
        ranges = self._ranges[name] if channels is None else self._ranges[name][channels]
        steps, zero = _steps(matrix, ranges, product)
        limit = _WEIGHT_LIMIT if zero == _GELU_ZERO else _SATURATION_FREE_LIMIT
        table, scales = _quantise(matrix * steps[:, None], axis=0, limit=limit)
        zero_name = self._constant(f"zero_{zero}", np.array(zero, np.uint8))
        self._node("Mul", [x, self._constant(f"{name}.inverse_steps", 1 / steps)], f"{name}.scaled")
        self._node("QuantizeLinear", [f"{name}.scaled", self._unit(), zero_name], f"{name}.uint8")
        return _Product(
            x=f"{name}.uint8",
            zero=zero_name,
            weight=self._constant(f"{name}.weight", table),
            scales=self._constant(f"{name}.scales", scales[0]),
            bias=self._constant(f"{name}.bias", bias),
        )

    def _residual(self, norm: str, x: str, skip: str, output: str) -> str:
        inputs = [x, skip, *self._gain_and_bias(norm)]
        return self._node("SkipLayerNormalization", inputs, output, domain=_RUNTIME, epsilon=self._config.epsilon)

    def _pooling(self, x: str) -> None:
        # The mean over the tokens and their sum point the same way, and only the direction is kept.
        one = self._constant("one", np.array([1], np.int64))
        self._node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
        self._node("Unsqueeze", ["mask_float", one], "mask_row")
        self._node("MatMul", ["mask_row", x], "sum_row")
        self._node("Squeeze", ["sum_row", one], "sum")
        self._node("LpNormalization", ["sum"], "embedding", axis=-1, p=2)

    def _matrix(self, name: str) -> tuple[Array, Array]:
        """A dense layer as (matrix of shape (inputs, outputs), bias)."""
        return self._weights[f"{name}.weight"].T, self._weights[f"{name}.bias"]

    def _gain_and_bias(self, norm: str) -> list[str]:
        return [self._constant(f"{norm}.{part}", self._weights[f"{norm}.{part}"]) for part in ("weight", "bias")]

    def _unit(self) -> str:
        return self._constant("unit", np.array(1, np.float32))


def _steps(matrix: Array, ranges: Array, product: str) -> tuple[Array, int]:
    """The step of each input channel, and the value that stands for 0."""
    after_gelu = product == "feed_forward"
    zero = _GELU_ZERO if after_gelu else _CENTRED_ZERO
    seen = np.maximum(ranges * _RANGE_MARGIN, 1e-6)
    largest = np.maximum(np.abs(matrix).max(axis=1), 1e-6)
    share = _SMOOTHING[product]
    shares = seen**share / largest ** (1 - share)
    steps = shares * ((seen / shares).max() / (255 - zero))
    if after_gelu:
        steps = np.maximum(steps, _GELU_MINIMUM / _GELU_ZERO)
    return steps.astype(np.float32), zero


def _quantise(matrix: Array, *, axis: int, limit: int = _WEIGHT_LIMIT) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 up to `limit`, with the scales that the largest magnitude along `axis` needs."""
    scales = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True) / limit, 1e-12).astype(np.float32)
    return np.clip(np.rint(matrix / scales), -limit, limit).astype(np.int8), scales
