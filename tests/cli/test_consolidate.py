"""`mnemic consolidate`, on a data directory and on a server."""


def test_facts_that_say_the_same_are_merged_and_restored(mnemic):
    for text in ("The user has three cats", "User has 3 cats.", "The user has four cats"):
        assert mnemic("add", text, "--kind", "fact", "--user", "u1").code == 0
    tried = mnemic("consolidate", "--user", "u1", "--dry-run")
    assert "1 fact would be merged into 1" in tried.out
    assert "User has 3 cats." in tried.out
    done = mnemic("consolidate", "--user", "u1", "--json").document
    assert (done["examined_count"], done["kept_count"], done["merged_count"]) == (3, 1, 1)
    (sample,) = done["samples"]
    assert mnemic("restore", sample["merged"][0]["memory_id"]).code == 0
    assert mnemic("consolidate", "--json").document["merged_count"] == 0
    assert "0 facts merged into 0" in mnemic("consolidate").out


def test_what_makes_no_sense_is_refused(run):
    assert "101" in run("consolidate", "--samples", "101").err
