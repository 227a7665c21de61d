"""What extraction by an LLM needs; the local rules need nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

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


class ExtractionSettings(_Section):
    """How facts are drawn from messages."""

    llm: LlmSettings = Field(default_factory=LlmSettings)
