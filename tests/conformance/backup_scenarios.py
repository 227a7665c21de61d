"""Backups on the wire."""

import hashlib

from memory_scenarios import add
from wire import Wire, scenario

from mnemic.v1 import admin_service_pb2 as pb

STREAM = pb.BACKUP_DESTINATION_STREAM


def backed_up(wire: Wire, **fields) -> tuple[pb.Backup, bytes]:
    # How large it is, and how many steps that takes, depends on the scenarios before.
    answers = wire.CreateBackup(pb.CreateBackupRequest(**fields), only=lambda _: "a backup")
    *others, last = answers
    return last.backup, b"".join(answer.data for answer in others)


@scenario
def a_backup_is_streamed_with_its_digest(wire):
    add(wire, "one")
    backup, data = backed_up(wire, destination=STREAM)
    assert data.startswith(b"SQLite format 3")
    assert (backup.byte_count, backup.sha256) == (len(data), hashlib.sha256(data).digest())
    assert backup.revision > 0


@scenario
def a_backup_is_kept_and_listed_and_a_retry_makes_no_other(wire):
    name = wire.name.replace(" ", "-")[:60]
    request_id = "0193d1c0-0000-7000-8000-0000000000b1"
    backup, data = backed_up(wire, backup_name=name, request_id=request_id)
    assert (backup.backup_name, data) == (name, b"")
    again, _ = backed_up(wire, backup_name=name, request_id=request_id)
    assert again == backup
    listed = wire.ListBackups(pb.ListBackupsRequest(page_size=1000), only=lambda _: "backups")
    assert backup in listed.backups
    refusal = wire.refused("CreateBackup", pb.CreateBackupRequest(backup_name=name))
    assert refusal.reason == "INVALID_FIELD"
    assert "is there already" in refusal.message


@scenario
def a_backup_of_a_bad_name_is_refused(wire):
    for name in ("../x", ".x", "a b", "x" * 129):
        refusal = wire.refused("CreateBackup", pb.CreateBackupRequest(backup_name=name))
        assert (refusal.reason, list(refusal.violations)) == ("INVALID_FIELD", ["backup_name"])
