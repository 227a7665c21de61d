"""docs/configuration.md names every setting with its default and meaning."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from mnemic.engine.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from rows(type(default), f"{prefix}{name}.")
        elif name != "data_directory":  # its default depends on the platform
            shown = "unset" if default is None else f"`{default}`"
            yield f"| `{prefix}{name}` | {shown} | {field.description} |"


def test_every_setting_is_documented():
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = [line for line in text.splitlines() if line.startswith("| `") and "data_directory" not in line]
    assert documented == list(rows(Settings))
