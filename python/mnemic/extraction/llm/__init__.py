"""Facts by an LLM behind a service that speaks OpenAI's chat completions, checked against their sources."""
