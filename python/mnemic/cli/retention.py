"""`mnemic retention`: what is forgotten on purpose, and when."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from mnemic.cli.documents import memory_document, print_json, scope_document, time_text
from mnemic.cli.failures import bad_input
from mnemic.cli.memories import open_memory
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions, with_option_groups
from mnemic.cli.retention_reports import (
    archive_text,
    hold_document,
    limits_text,
    policy_document,
    print_report,
    print_run,
    report_document,
    selected_text,
    why_text,
)
from mnemic.cli.terminal import (
    Column,
    Row,
    counted,
    moment_text,
    print_line,
    print_remark,
    print_table,
    scope_text,
)
from mnemic.model.audit import AuditAction
from mnemic.model.retention import LegalHold, RetentionPolicy

retention_application = typer.Typer(help="What is forgotten on purpose: policies, runs, the archive, legal holds.")

_LIMITS_PANEL = "What goes"
_WAIT_SECONDS = 60.0
PolicyArgument = Annotated[str, typer.Argument(metavar="POLICY", help="Its id, such as chat-90-days.")]


def _limit(name: str, metavar: str, words: str) -> Any:  # noqa: ANN401 (typer's option)
    return typer.Option(name, metavar=metavar, help=words, rich_help_panel=_LIMITS_PANEL)


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What a policy selects and limits; spans are a number and s, m, h, d or w."""

    max_age: Annotated[str | None, _limit("--max-age", "SPAN", "What is older, such as 365d.")] = None
    max_inactivity: Annotated[
        str | None, _limit("--max-inactivity", "SPAN", "What was not recalled or written for so long.")
    ] = None
    superseded_grace: Annotated[
        str | None, _limit("--superseded-grace", "SPAN", "What was superseded so long ago.")
    ] = None
    session_grace: Annotated[
        str | None, _limit("--session-grace", "SPAN", "What belongs to a session that ended so long ago.")
    ] = None
    max_memories: Annotated[int | None, _limit("--max-memories", "N", "All but the best N of each distinct scope.")] = (
        None
    )
    max_bytes: Annotated[
        int | None, _limit("--max-bytes", "N", "All but the best N bytes of text of each distinct scope.")
    ] = None
    archive: Annotated[
        str | None, _limit("--archive", "SPAN", "How long what goes can be restored; 30d unless given.")
    ] = None
    kind: Annotated[
        list[str] | None, _limit("--kind", "KIND", "Only messages, facts … (message, fact, instruction, summary).")
    ] = None
    category: Annotated[list[str] | None, _limit("--category", "LABEL", "Only what has one of these labels.")] = None
    weight: Annotated[
        list[str] | None,
        _limit("--weight", "PART=N", "Of the retention score: importance, confidence, recency, use; 0 to 1."),
    ] = None

    @property
    def is_given(self) -> bool:
        """Whether any of it is given."""
        return any(getattr(self, field.name) for field in fields(self))

    def policy(self, policy_id: str, scope: ScopeOptions, **more: Any) -> RetentionPolicy:  # noqa: ANN401 (fields of a policy)
        """The policy of these options."""
        from mnemic.client.retention_requests import retention_policy  # noqa: PLC0415 (start-up time: loads grpc)

        return retention_policy(
            policy_id,
            max_age=self.max_age,
            max_inactivity=self.max_inactivity,
            superseded_grace=self.superseded_grace,
            session_grace=self.session_grace,
            max_memories_per_scope=self.max_memories,
            max_bytes_per_scope=self.max_bytes,
            archive_period=self.archive,
            kinds=self.kind or (),
            categories=self.category or (),
            score_weights=dict(map(_weight, self.weight or ())),
            **_ids(scope),
            **more,
        )


def _weight(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise bad_input(f"--weight: {text!r} is no weight", hint="give a part and a number, such as use=0.5") from None


def _ids(scope: ScopeOptions) -> dict[str, Any]:
    return scope_document(scope.scope())


@retention_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """What is forgotten on purpose: policies, runs, the archive, legal holds."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def policies(*, target: TargetOptions, as_json: JsonOption = False) -> None:
    """List the policies.

    Example: mnemic retention policies
    """
    found: list[RetentionPolicy] = []
    token = ""
    with open_memory(target) as memory:
        while True:
            page = memory.list_retention_policies(page_token=token)
            found.extend(page.policies)
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json({"policies": [policy_document(policy) for policy in found]})
        return
    columns = [Column("Policy", style="bold"), Column("Selects", flexible=True), Column("What goes"), Column("Archive")]
    rows = [
        Row((policy.policy_id, selected_text(policy), limits_text(policy), archive_text(policy)), policy.description)
        for policy in found
    ]
    print_table(columns, rows, note_title="description")
    if not found:
        print_remark("no policy: nothing is forgotten but what expires by itself")


def set_policy(
    policy_id: PolicyArgument,
    *,
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What it is for.")] = "",
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it, but do not apply it by itself.")] = False,
    limits: LimitOptions,
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Create or replace a policy.

    Example: mnemic retention set chat-90-days --kind message --max-age 90d
    """
    policy = limits.policy(policy_id, scope, description=description, disabled=disabled)
    with open_memory(target) as memory:
        stored = memory.set_retention_policy(policy).policy
    if as_json:
        print_json(policy_document(stored))
    else:
        print_remark(f"policy {stored.policy_id} is at version {stored.version}; what it would remove: preview")


def remove_policy(policy_id: PolicyArgument, *, target: TargetOptions) -> None:
    """Remove a policy; what it archived stays archived.

    Example: mnemic retention remove chat-90-days
    """
    with open_memory(target) as memory:
        memory.delete_retention_policy(policy_id)
    print_remark(f"removed the policy {policy_id}")


PolicyIdsOption = Annotated[
    list[str] | None, typer.Option("--policy", metavar="POLICY", help="Only these; all that are not disabled.")
]


def preview(
    *,
    policy_ids: PolicyIdsOption = None,
    limits: LimitOptions,
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show what a run would remove, and why. With limits, what a policy of them would.

    Example: mnemic retention preview --max-memories 1000
    """
    trials = [limits.policy("trial", ScopeOptions())] if limits.is_given else []
    with open_memory(target) as memory:
        found = memory.preview_retention(policy_ids=policy_ids or (), trial_policies=trials, **_ids(scope))
    if as_json:
        print_json({"report": report_document(found.report), "revision": found.revision})
        return
    print_report(found.report, "would go")


def run(
    *,
    policy_ids: PolicyIdsOption = None,
    background: Annotated[bool, typer.Option("--background", help="Do not wait; for a server only.")] = False,
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Run retention: move to the archive what the policies say, and erase what rested there long enough.

    Example: mnemic retention run --policy chat-90-days
    """
    if background and target.address() is None:
        raise bad_input("--background is for a server; on a directory the run ends with the command")
    with open_memory(target, enters=("mnemic retention run", AuditAction.ADMINISTER), scope=scope.scope()) as memory:
        found = memory.run_retention(policy_ids=policy_ids or (), **_ids(scope)).run
        while not background and not found.has_ended:
            found = memory.retention_run(found.run_id, wait=_WAIT_SECONDS)
    print_run(found, as_json=as_json)


def status(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `run --background` printed it.")],
    *,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show how far a run is.

    Example: mnemic retention status 0199…
    """
    with open_memory(target) as memory:
        found = memory.retention_run(run_id)
    print_run(found, as_json=as_json)


def archive(
    *,
    page_size: Annotated[int, typer.Option("--page-size", "-n", metavar="N", help="At most so many.")] = 50,
    page_token: Annotated[str, typer.Option("--page-token", metavar="TOKEN", help="Where the last page ended.")] = "",
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List what was archived, the latest first; `mnemic restore` brings a memory back.

    Example: mnemic retention archive --user u1
    """
    with open_memory(target) as memory:
        page = memory.list_archived(page_size=page_size, page_token=page_token, **_ids(scope))
    if as_json:
        documents = [
            memory_document(item.memory)
            | {
                "policy_id": item.policy_id,
                "cause": item.cause.name.lower(),
                "archive_time": time_text(item.archive_time_micros),
                "erase_time": time_text(item.erase_time_micros),
            }
            for item in page.memories
        ]
        print_json({"memories": documents, "next_page_token": page.next_page_token})
        return
    columns = [Column("Archived (UTC)"), Column("Erased (UTC)"), Column("Why"), Column("Text", flexible=True)]
    rows = [
        Row(
            (
                moment_text(item.archive_time_micros),
                moment_text(item.erase_time_micros),
                why_text(item.policy_id, item.cause.name),
                item.memory.body,
            ),
            item.memory.memory_id,
        )
        for item in page.memories
    ]
    print_table(columns, rows, note_title="memory_id")
    more = f"; more follow: --page-token {page.next_page_token}" if page.next_page_token else ""
    print_remark(f"{counted(len(page.memories), 'memory', 'memories')}{more}")


def holds(
    *,
    released: Annotated[bool, typer.Option("--released", help="Also those that were released.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List the legal holds.

    Example: mnemic retention holds --released
    """
    found: list[LegalHold] = []
    token = ""
    with open_memory(target) as memory:
        while True:
            page = memory.list_legal_holds(include_released=released, page_token=token)
            found.extend(page.holds)
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json({"holds": [hold_document(hold) for hold in found]})
        return
    columns = [Column("Holds"), Column("Since (UTC)"), Column("Released (UTC)"), Column("Reason", flexible=True)]
    rows = [
        Row(
            (
                scope_text(hold.scope),
                moment_text(hold.create_time_micros),
                moment_text(hold.release_time_micros),
                hold.reason,
            ),
            hold.hold_id,
        )
        for hold in found
    ]
    print_table(columns, rows, note_title="hold_id")


def hold(
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in words.")],
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Keep what carries the ids, future memories too, from retention and erasure.

    Example: mnemic retention hold --user u1 --reason "case 4711"
    """
    with open_memory(target) as memory:
        made = memory.create_legal_hold(reason, **_ids(scope)).hold
    if as_json:
        print_json(hold_document(made))
    else:
        print_line(made.hold_id)


def release(
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="Its id.")],
    *,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """End a legal hold.

    Example: mnemic retention release 0199…
    """
    with open_memory(target) as memory:
        made = memory.release_legal_hold(hold_id).hold
    if as_json:
        print_json(hold_document(made))
    else:
        print_remark(f"released the hold on {scope_text(made.scope)}")


for _name, _command in (
    ("policies", policies),
    ("set", set_policy),
    ("remove", remove_policy),
    ("preview", preview),
    ("run", run),
    ("status", status),
    ("archive", archive),
    ("holds", holds),
    ("hold", hold),
    ("release", release),
):
    retention_application.command(_name)(with_option_groups(_command))
