"""Which statements say the same: nothing that carries information may differ."""

import pytest

from bench.lifecycle.consolidation import judge
from bench.lifecycle.sayings import told
from mnemic.engine.consolidating_words import words_of

SAME = [
    ("Ana lives in Porto", "Ana lives in Porto."),
    ("Ana lives in  Porto!", "Ana lives in Porto"),
    ("The user lives in Porto.", "User lives in Porto"),
    ("Ana doesn't like tea", "Ana does not like tea"),
    ("Ana can't swim", "Ana cannot swim"),
    ("Ana has three cats", "Ana has 3 cats"),
    ("Ana is twenty-one years old", "Ana is 21 years old"),
    ("Ana moved to Porto on 8 May 2023", "Ana moved to Porto on May 8th, 2023"),
    ("Ana moved to Porto on 8 May 2023", "On 2023-05-08, Ana moved to Porto"),
    ("In May 2023, Ana moved to Porto", "Ana moved to Porto in May 2023"),
    ("Ana has a meeting at 3 pm", "Ana has a meeting at 3:00 p.m."),
    ("Ana has a meeting at 3pm", "Ana has a meeting at 15:00"),
    ("Ana runs 5km every day", "Ana runs 5 kilometers every day"),
    ("Ana's favourite colour is grey", "Ana's favorite color is gray"),
    ("Ana also likes tea", "Ana likes tea, too."),
    ("Ana currently works at Acme", "Ana works at Acme"),
    ("Ana likes tea, coffee and milk", "Ana likes milk, coffee, and tea"),
    ("Ana works part-time", "Ana works part time"),
    ("Ana paid 1,200 dollars", "Ana paid 1200 dollars"),
    ("Ana's budget is €5", "Ana's budget is 5 euros"),
    ("Ana’s dog is called “Rex”", 'Ana\'s dog is called "Rex"'),
    ("Ana wohnt in Porto.", "Ana  wohnt in Porto"),
]

DIFFERENT = [
    ("Ana lives in Porto", "Ana lives in Lisbon"),
    ("Ana lives in Porto", "Ana does not live in Porto"),
    ("Ana lives in Porto", "Ana lived in Porto"),
    ("Ana lives in Porto", "Tom lives in Porto"),
    ("Ana lives in Porto", "Ana works in Porto"),
    ("Ana lives in Porto", "Does Ana live in Porto?"),
    ("Ana lives in Porto", "Ana lives in Porto?"),
    ("Ana gave Tom a book", "Tom gave Ana a book"),
    ("Ana has 2 cats", "Ana has 3 cats"),
    ("Ana has a cat", "Ana has cats"),
    ("Ana runs 5 km", "Ana runs 5 miles"),
    ("It is 5 degrees", "It is -5 degrees"),
    ("Ana paid 1.5 euros", "Ana paid 15 euros"),
    ("Ana earns 1,200 euros", "Ana earns 1,201 euros"),
    ("Ana likes cooking, family and dogs", "Ana likes cooking family and dogs"),
    ("Ana likes red wine and cheese", "Ana likes red cheese and wine"),
    ("Ana has few friends", "Ana has a few friends"),
    ("Tom went to prison", "Tom went to the prison"),
    ("Ana knows a number of guests", "Ana knows the number of guests"),
    ("Ana left before Tom", "Ana left after Tom"),
    ("Ana moved from Porto to Lisbon", "Ana moved from Lisbon to Porto"),
    ("Ana likes Apple", "Ana likes apple"),
    ("Ana met us", "Ana met US"),
    ("Ana moved to Porto on 8 May 2023", "Ana moved to Porto on 5 August 2023"),
    ("Ana was born on May 8", "Ana was born on May 9"),
    ("Ana has a meeting at 3 am", "Ana has a meeting at 3 pm"),
    ("Ana is leaving now", "Ana is leaving"),
    ("Ana moved to Porto in 2022", "Ana moved to Porto in 2023"),
    ("In 2022, Ana moved to Porto and Tom moved to Lisbon", "Ana moved to Porto and Tom moved to Lisbon in 2022"),
    ("In 2022, Ana decided to move", "Ana decided to move in 2022"),
    ("Ana said that Tom left", "Tom said that Ana left"),
    ("Ana likes only tea", "Ana likes tea"),
    ("Ana drinks too much", "Ana drinks much"),
    ("Ana's teacher is Tom", "Ana is teacher Tom"),
    ("Ana must swim", "Ana may swim"),
    ("Ana always swims", "Ana never swims"),
    ("Ana likes Tom's sister", "Ana likes Tom"),
    ("The user likes tea", "The assistant likes tea"),
    ("Ana vio a Tom", "Ana vio Tom"),
    ("Ana wohnt in Porto", "Ana wohnt nicht in Porto"),
    ("アナは東京に住んでいる", "アナは京都に住んでいる"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_words(one, other):
    assert words_of(one) == words_of(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_in_what_it_says(one, other):
    assert words_of(one) != words_of(other)


@pytest.mark.parametrize("text", sorted({text for pair in (*SAME, *DIFFERENT) for text in pair}))
def test_a_statement_keeps_its_form_however_it_is_spaced(text):
    assert words_of(f"  {text.replace(' ', '   ')} ") == words_of(text)


@pytest.mark.parametrize("seed", [3, 4])
def test_no_two_meanings_have_the_same_form_and_most_ways_to_say_one_do(seed):
    """Families of facts that differ in one value, each said in many ways; see `bench.lifecycle.sayings`."""
    wrong, found, pairs = judge(list(told(seed, 1000, 4)))
    assert wrong == []
    assert found > 0.75 * pairs
