"""`mnemic erase`, `erasures`, `verify-receipt` and `tenants delete`, on a data directory and on a server."""

import json


def test_a_person_is_erased_with_a_receipt_that_verifies(mnemic, tmp_path):
    for number in range(3):
        mnemic("add", f"thing {number}", "--user", "u1")
    mnemic("add", "another's", "--user", "u2")
    preview = mnemic("erase", "--user", "u1", "--dry-run", "--json").document
    assert preview["places"]["memories"]["found"] == 3
    assert preview["places"]["memories"]["destroyed"] == 0
    file = tmp_path / "receipt.json"
    done = mnemic("erase", "--user", "u1", "--reason", "4711", "--yes", "--receipt", str(file), "--json").document
    assert (done["state"], done["places"]["memories"]["destroyed"]) == ("done", 3)
    assert mnemic("list", "--user", "u1", "--json").document["memories"] == []
    assert len(mnemic("list", "--user", "u2", "--json").document["memories"]) == 1
    listed = mnemic("erasures", "--json").document["erasures"]
    assert [item["erasure_id"] for item in listed] == [done["erasure_id"]]
    again = tmp_path / "again.json"
    assert mnemic("erasures", done["erasure_id"], "--receipt", str(again)).code == 0
    assert again.read_text() == file.read_text()


def test_erasing_asks_and_refuses_what_cannot_be_meant(mnemic):
    mnemic("add", "thing", "--user", "u1")
    assert "nobody can be asked" in mnemic("erase", "--user", "u1").err
    assert "exactly one" in mnemic("erase", "--yes").err
    assert len(mnemic("list", "--user", "u1", "--json").document["memories"]) == 1


def test_a_receipt_that_was_changed_does_not_verify(run, tmp_path):
    run("add", "thing", "--user", "u1")
    file = tmp_path / "receipt.json"
    run("erase", "--user", "u1", "--yes", "--receipt", str(file))
    receipt = json.loads(file.read_text())
    good = run("verify-receipt", str(file), "--public-key", receipt["public_key"])
    assert good.code == 0
    assert "genuine" in good.out
    assert json.loads(run("verify-receipt", str(file), "--json").out)["verified"] is True
    assert run("verify-receipt", str(file), "--public-key", "00" * 32).code != 0
    assert "not hex" in run("verify-receipt", str(file), "--public-key", "zz").err
    receipt["document"] = receipt["document"].replace('"found":1', '"found":2')
    file.write_text(json.dumps(receipt))
    bad = run("verify-receipt", str(file))
    assert bad.code != 0
    assert "does not verify" in bad.err
    file.write_text("{}")
    assert "no receipt" in run("verify-receipt", str(file)).err
    assert "cannot be read" in run("verify-receipt", str(tmp_path / "none")).err


def test_a_tenant_is_deleted(mnemic):
    assert mnemic("tenants", "create", "acme").code == 0
    assert "nobody can be asked" in mnemic("tenants", "delete", "acme").err
    (erasure_id,) = mnemic("tenants", "delete", "acme", "--yes").lines
    assert "default" in mnemic("tenants", "delete", "default", "--yes").err
    for _ in range(100):
        if mnemic("erasures", erasure_id, "--json").document["state"] == "done":
            break
    assert mnemic("tenants", "show", "acme").code != 0
