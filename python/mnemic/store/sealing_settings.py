"""What may be set of encryption at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class EncryptionSettings(BaseModel):
    """Where the master key comes from; what is kept is encrypted if and only if there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path | None = Field(
        None, description="a file with the master key, as `mnemic encryption generate-key` makes it"
    )
    key: SecretStr | None = Field(None, description="the master key itself; for the environment, not for a file")
    key_command: tuple[str, ...] = Field(
        (), description="a program and its arguments that wrap and unwrap keys, such as by a KMS"
    )
    key_command_seconds: float = Field(10.0, gt=0, le=300, description="how long one run of it may take")

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        given = [
            name
            for name, value in (("key_file", self.key_file), ("key", self.key), ("key_command", self.key_command))
            if value
        ]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; a store has one master key")
        return self

    @property
    def is_on(self) -> bool:
        """Whether what is kept is encrypted."""
        return bool(self.key_file or self.key or self.key_command)


NO_ENCRYPTION = EncryptionSettings()
