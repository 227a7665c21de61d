"""What extraction by an LLM needs; the local rules need nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_MILLION = 1_000_000
StructuredOutput = Literal["json_schema", "json_object", "none"]


class _Section(BaseModel):
    # A misspelt setting is an error, not a default.
    model_config = ConfigDict(extra="forbid", frozen=True)


class LlmSettings(_Section):
    """A service that speaks OpenAI's `/v1/chat/completions`: OpenAI, vLLM, Ollama, llama.cpp."""

    model: str | None = Field(None, min_length=1, description="the model's name at the service; unset: no LLM")
    base_url: str | None = Field(None, description="the service's address up to /v1; unset: OPENAI_BASE_URL or OpenAI")
    api_key: SecretStr | None = Field(None, description="unset: OPENAI_API_KEY")
    structured_output: StructuredOutput = Field(
        "json_schema",
        description="how the shape of the answer is asked for; a service that refuses gets the next of json_schema, "
        "json_object and none",
    )
    temperature: float | None = Field(0.0, ge=0, le=2, description="left out when unset or when the service refuses it")
    max_output_tokens: int = Field(4096, ge=64, le=131_072, description="a longer answer is split and retried")
    timeout_seconds: float = Field(60.0, gt=0, le=3600, description="for one call")
    least_confidence: float = Field(0.3, ge=0, le=1, description="facts of which the model is less sure are dropped")
    price_per_million_prompt_tokens: float | None = Field(None, ge=0, description="for the cost; unset: not counted")
    price_per_million_completion_tokens: float | None = Field(None, ge=0, description="the same, of what it writes")

    @property
    def is_priced(self) -> bool:
        """Whether the cost is known."""
        return not (self.price_per_million_prompt_tokens is None and self.price_per_million_completion_tokens is None)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What tokens cost, in the unit of the prices; None without any."""
        if not self.is_priced:
            return None
        read = prompt_tokens * (self.price_per_million_prompt_tokens or 0)
        return (read + completion_tokens * (self.price_per_million_completion_tokens or 0)) / _MILLION


class ExtractionSettings(_Section):
    """How facts are drawn from messages."""

    workers: int = Field(1, ge=1, le=64, description="processes that draw facts; started when there is work")
    attempts: int = Field(8, ge=1, le=100, description="tries before a batch of messages is given up")
    llm: LlmSettings = Field(default_factory=LlmSettings)
