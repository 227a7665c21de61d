"""What happens to secrets, personal data and instruction-like text in what is written, where a tenant says nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mnemic.defence.findings import ContentKind

ActionName = Literal["keep", "tag", "redact", "refuse"]
RoleName = Literal["user", "assistant", "system", "tool", "none"]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class DefenceSettings(BaseModel):
    """Defence at write."""

    # A misspelt setting is an error, not a default.
    model_config = ConfigDict(extra="forbid", frozen=True)

    secrets: ActionName = Field(
        "keep", description="what happens to secrets in what is written: keep, tag, redact or refuse"
    )
    personal_data: ActionName = Field("keep", description="the same of personal data")
    kinds: dict[ContentKind, ActionName] = Field(
        {}, description='the same of single kinds, such as `{payment_card = "redact"}`; they go before the two above'
    )
    phone_regions: tuple[Region, ...] = Field(
        ("US",), description="countries by whose plans telephone numbers without a country's code are read"
    )
    untrusted_instructions: tuple[RoleName, ...] = Field(
        ("tool",), description="text of these roles that reads as an instruction to a model is marked untrusted"
    )
    default_trust: Literal["untrusted", "normal", "verified"] = Field(
        "normal", description="the trust of memories that say none"
    )
