"""The contract, the stubs, the domain model and the documentation say the same."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from mnemic.model.errors import Code, Reason
from mnemic.model.filters import Operator
from mnemic.model.memory import ChangeKind, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.requests import AddMode, WaitFor
from mnemic.model.scope import ScopeMatch
from mnemic.server.admin_service import AdminService
from mnemic.server.calls import python_name
from mnemic.server.lifecycle_service import LifecycleService
from mnemic.server.memory_service import MemoryService
from mnemic.v1 import (
    admin_service_pb2,
    errors_pb2,
    lifecycle_service_pb2,
    memory_service_pb2,
    query_pb2,
    resources_pb2,
)

ROOT = Path(__file__).parents[2]
SERVICES = {
    "MemoryService": (memory_service_pb2, MemoryService),
    "LifecycleService": (lifecycle_service_pb2, LifecycleService),
    "AdminService": (admin_service_pb2, AdminService),
}
STUB_MODULES = sorted(path.stem for path in (ROOT / "python" / "mnemic" / "v1").glob("*_pb2*.py"))


def values_of(enum: EnumTypeWrapper) -> dict[str, int]:
    """The enum's values without their common prefix."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.DESCRIPTOR.name).upper() + "_"
    values = dict(enum.items())
    assert all(name.startswith(prefix) for name in values)
    return {name.removeprefix(prefix): number for name, number in values.items()}


@pytest.mark.parametrize(
    ("wire", "domain", "unspecified"),
    [
        (resources_pb2.ScopeMatch, ScopeMatch, None),
        (resources_pb2.MemoryKind, MemoryKind, None),
        # The domain's name for what the wire leaves unspecified.
        (resources_pb2.Role, Role, "NONE"),
        (resources_pb2.TimePrecision, TimePrecision, "UNSPECIFIED"),
        (resources_pb2.TrustLevel, TrustLevel, None),
        (resources_pb2.ChangeKind, ChangeKind, None),
        (query_pb2.ComparisonOperator, Operator, None),
        (memory_service_pb2.AddMode, AddMode, None),
        (memory_service_pb2.WaitFor, WaitFor, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_domain_has_the_numbers_of_the_wire(wire, domain, unspecified):
    wanted = {name: number for name, number in values_of(wire).items() if name != "UNSPECIFIED"}
    if unspecified is not None:
        wanted[unspecified] = 0
    assert {member.name: member.value for member in domain} == wanted


def test_the_domain_has_the_reasons_of_the_wire():
    reasons = values_of(errors_pb2.ErrorReason)
    assert reasons.pop("UNSPECIFIED") == 0
    assert {reason.value for reason in Reason} == set(reasons)
    assert all(reason.name == reason.value for reason in Reason)


def test_the_contract_names_the_code_of_each_reason():
    text = (ROOT / "proto/mnemic/v1/errors.proto").read_text(encoding="utf-8")
    documented = {
        name: code for code, name in re.findall(r"// ([A-Z_]+):(?:.*\n\s*//)*.*\n\s*ERROR_REASON_([A-Z_]+) =", text)
    }
    assert documented == {reason.value: reason.code.value for reason in Reason}


def test_the_documentation_lists_every_reason_under_its_code():
    text = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    section = text[text.index("## Errors") :]
    for code in Code:
        (row,) = [
            line for line in section.splitlines() if line.startswith("|") and f"`{code.value}`" in line.split("|")[1]
        ]
        listed = set(re.findall(r"`([A-Z_]+)`", row.split("|")[2])) or set(
            re.findall(r"`([A-Z_]+)`", row.split("|")[1])
        )
        wanted = {reason.value for reason in Reason if reason.code is code}
        assert wanted <= listed, code


def documented_rpcs() -> dict[str, str]:
    text = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+\.\w+)` \|[^|]*\| (working|UNIMPLEMENTED) \|$", text, re.MULTILINE))


def test_the_documentation_says_of_every_rpc_whether_it_works():
    implemented = {}
    for name, (module, service) in SERVICES.items():
        for method in module.DESCRIPTOR.services_by_name[name].methods:
            works = hasattr(service, python_name(method.name))
            implemented[f"{name}.{method.name}"] = "working" if works else "UNIMPLEMENTED"
    assert documented_rpcs() == implemented


def test_every_method_of_a_service_is_an_rpc():
    for name, (module, service) in SERVICES.items():
        known = {python_name(method.name) for method in module.DESCRIPTOR.services_by_name[name].methods}
        assert {method for method in vars(service) if not method.startswith("_")} <= known | set(vars(object))


def test_every_mutation_takes_a_request_id():
    reads = ("Get", "BatchGet", "List", "Search", "BatchSearch", "Compose", "Watch", "Preview", "Export")
    # Their streams carry it in each step, or in the first message.
    within = {
        "IngestMemories": memory_service_pb2.AddMemoriesRequest,
        "ImportMemories": lifecycle_service_pb2.ImportConfiguration,
    }
    for name, (module, _) in SERVICES.items():
        for method in module.DESCRIPTOR.services_by_name[name].methods:
            if not method.name.startswith(reads):
                message = within[method.name].DESCRIPTOR if method.name in within else method.input_type
                assert "request_id" in message.fields_by_name, method.full_name


def test_every_listing_has_pages():
    for name, (module, _) in SERVICES.items():
        for method in module.DESCRIPTOR.services_by_name[name].methods:
            if method.name.startswith("List"):
                assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name), method.full_name
                first = method.output_type.fields_by_number[1]
                assert first.is_repeated, method.full_name
                assert "next_page_token" in method.output_type.fields_by_name, method.full_name


@pytest.mark.parametrize("module", STUB_MODULES)
def test_the_stubs_import_without_warnings(module):
    command = [sys.executable, "-W", "error", "-c", f"import mnemic.v1.{module}"]
    finished = subprocess.run(
        command, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "python")}
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    "script", [["generate_stubs.py", "--check"], ["check_contract.py"]], ids=lambda script: script[0]
)
def test_the_check_passes(script):
    finished = subprocess.run(
        [sys.executable, ROOT / "scripts" / script[0], *script[1:]], check=False, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("old", "new", "accepted"),
    [
        ("  repeated string texts = 3;", "  repeated string lines = 3;", False),
        ("  repeated string texts = 3;", "  repeated string texts = 33;", False),
        ("  repeated string texts = 3;", "  repeated string texts = 3;\n  // New.\n  string note = 99;", True),
    ],
    ids=["renamed", "renumbered", "added"],
)
def test_the_check_of_breaking_changes_can_fail(tmp_path, old, new, accepted):
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    changed = tmp_path / "proto/mnemic/v1/memory_service.proto"
    text = changed.read_text(encoding="utf-8")
    assert old in text
    changed.write_text(text.replace(old, new), encoding="utf-8")
    buf = Path(sys.executable).with_name("buf")
    command = [buf, "breaking", "--against", ROOT / "proto/released.binpb"]
    finished = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (finished.returncode == 0) is accepted, finished.stdout + finished.stderr
