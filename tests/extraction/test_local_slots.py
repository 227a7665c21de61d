"""Slots of common life and work facts, as people tell them."""

import pytest

from mnemic.model.memory import MemoryKind


@pytest.mark.parametrize(
    ("text", "slot", "value", "body"),
    [
        ("I moved to Lisbon.", "ana.home", "Lisbon", "Ana moved to Lisbon."),
        (
            "I've been living in New York since 2016",
            "ana.home",
            "New York",
            "Ana has been living in New York since 2016.",
        ),
        ("we moved from Paris to Berlin", "ana.home", "Berlin", "Ana lives in Berlin."),
        ("I'm originally from Sweden.", "ana.origin", "Sweden", "Ana is originally from Sweden."),
        ("I am 34.", "ana.age", "34", "Ana is 34."),
        ("My birthday is March 3.", "ana.birthday", "March 3", "Ana's birthday is March 3."),
        ("I'm a software engineer.", "ana.job", "software engineer", "Ana is a software engineer."),
        ("I work for Google.", "ana.employer", "Google", "Ana works for Google."),
        ("I study computer science.", "ana.field_of_study", "computer science", "Ana studies computer science."),
        ("I'm vegetarian.", "ana.diet", "vegetarian", "Ana is vegetarian."),
        ("I'm allergic to peanuts.", "ana.allergy", "peanuts", "Ana is allergic to peanuts."),
        ("I am lactose intolerant", "ana.intolerance", "lactose", "Ana is lactose intolerant."),
        ("My favourite colour is blue.", "ana.favourite_colour", "blue", "Ana's favourite colour is blue."),
        ("I love hiking!", "ana.taste.hiking", "likes", "Ana loves hiking."),
        ("I can't stand olives.", "ana.taste.olives", "dislikes", "Ana cannot stand olives."),
        ("my wife's name is Eva", "ana.partner", "Eva", "Ana's wife is called Eva."),
        ("I have a sister named Emma.", "ana.sister", "Emma", "Ana has a sister named Emma."),
        ("We adopted a dog named Rex.", "ana.pet", "dog Rex", "Ana has a dog named Rex."),
        ("I play the piano.", "ana.plays", "piano", "Ana plays the piano."),
        ("I can speak French.", "ana.speaks", "French", "Ana can speak French."),
        ("I drive a Tesla Model 3.", "ana.vehicle", "Tesla Model 3", "Ana drives a Tesla Model 3."),
        ("My email is ana@example.org", "ana.email", "ana@example.org", "Ana's e-mail address is ana@example.org."),
        ("I don't eat pork", "ana.not_eaten", "pork", "Ana does not eat pork."),
        ("Remember that I live in Oslo.", "ana.home", "Oslo", "Ana lives in Oslo."),
    ],
)
def test_a_plain_statement_fills_its_slot(facts, text, slot, value, body):
    (fact,) = facts(text)
    assert (fact.slot, fact.slot_value, fact.body) == (slot, value, body)
    assert fact.kind is MemoryKind.FACT
    assert fact.source_ids == ("m1",)
    assert fact.name == "Ana"


@pytest.mark.parametrize(
    "text",
    [
        "Do you live in Rome?",
        "do I work at Google",
        "If I lived in Rome I would eat pasta daily.",
        "I wish I lived in Rome.",
        "I think I live in Rome.",
        "Maybe I work at Google.",
        "I'd love to live in Rome.",
        "I dreamt that I live in Rome.",
        "Just kidding, I live in Rome.",
        "I live in Rome, yeah right 🙄",
        'My boss said "I moved to Paris".',
        "Translate this to French: I live in Berlin. I work at Google.",
        "Write a story. I live in Berlin and I'm a pirate.",
        "> I live in Berlin",
        "```\nI live in Berlin.\n```",
        "I live in fear.",
        "I moved to Marketing.",
        "We moved to Postgres.",
        "I'm a big fan.",
        "I love it!",
        "I love how you did that.",
        "You live in Rome.",
        "I work at night.",
        "I'm fine, thanks.",
        "*I live in a castle*",
    ],
)
def test_what_is_not_said_about_the_world_fills_no_slot(facts, text):
    assert [fact for fact in facts(text) if fact.slot] == []


def test_each_half_of_a_sentence_gets_a_fact_of_its_own(facts):
    found = facts("I'm vegan and I live in Lisbon and work at Acme.")
    assert [(fact.slot, fact.slot_value, fact.body) for fact in found] == [
        ("ana.diet", "vegan", "Ana is vegan."),
        ("ana.home", "Lisbon", "Ana lives in Lisbon."),
        ("ana.employer", "Acme", "Ana works at Acme."),
    ]


def test_who_writes_without_capitals_is_understood_as_well(facts):
    (fact,) = facts("i live in new york")
    assert (fact.slot, fact.slot_value) == ("ana.home", "New York")


def test_a_speaker_without_a_name_is_the_user(facts):
    (fact,) = facts("I live in Rome.", name="")
    assert (fact.slot, fact.body, fact.name) == ("user.home", "The user lives in Rome.", "")


def test_relatives_have_slots_of_their_own_if_one_can_tell_which_is_meant(facts):
    found = facts("My sister Emma lives in Porto and works as a nurse.")
    assert [(fact.slot, fact.slot_value) for fact in found] == [
        ("ana.emma.home", "Porto"),
        ("ana.emma.job", "nurse"),
        ("ana.sister", "Emma"),
    ]
    assert found[0].body == "Ana's sister Emma lives in Porto."
    (unnamed,) = facts("My sister lives in Rome.")
    # There may be another sister: what is told of one stands beside what was told before.
    assert (unnamed.slot, unnamed.body) == ("ana.sister.home", "Ana's sister lives in Rome.")
    assert unnamed.is_additive
    (mother,) = facts("My mother lives in Rome.")
    assert mother.slot == "ana.mother.home"


def test_a_name_in_passing_is_kept(facts):
    found = facts("My wife Maria and I moved to Madrid.")
    assert [(fact.slot, fact.slot_value) for fact in found] == [("ana.home", "Madrid"), ("ana.partner", "Maria")]


@pytest.mark.parametrize(
    ("text", "is_additive"),
    [
        ("We adopted a dog named Rex.", True),
        ("I'm allergic to peanuts.", True),
        ("I also work at Acme.", True),
        ("I bought a Tesla.", True),
        ("I drive a Tesla.", False),
        ("I have a job interview on Friday.", True),
        ("My job interview was moved to Friday.", False),
        ("The Apollo deadline is 12 June.", False),
        ("I work at Acme.", False),
        ("I moved to Lisbon.", False),
        ("my wife's name is Eva", False),
        ("my brother's name is Tom", True),
    ],
)
def test_further_values_are_told_from_new_ones(facts, text, is_additive):
    (fact,) = facts(text)
    assert fact.is_additive is is_additive


def test_what_no_longer_holds_is_the_negation_of_its_value(facts):
    (diet,) = facts("I'm no longer vegetarian.")
    assert (diet.slot, diet.slot_value, diet.body) == ("ana.diet", "not vegetarian", "Ana is no longer vegetarian.")
    (job,) = facts("I don't work at Acme anymore.")
    assert (job.slot, job.slot_value) == ("ana.employer", "not Acme")
    (taste,) = facts("I don't like hiking any more.")
    assert (taste.slot, taste.slot_value) == ("ana.taste.hiking", "dislikes")


def test_the_past_fills_no_slot_of_the_present(facts):
    (fact,) = facts("I used to live in Paris.")
    assert (fact.slot, fact.body) == ("", "Ana used to live in Paris.")


def test_a_correction_takes_the_slot_of_what_it_corrects(facts):
    said, corrected = facts("I live in Lisbon.", "No, I meant Porto.")
    assert (said.slot_value, said.is_correction) == ("Lisbon", False)
    assert (corrected.slot, corrected.slot_value, corrected.is_correction) == ("ana.home", "Porto", True)
    assert corrected.source_ids == ("m1", "m2")
    assert corrected.body == "Ana lives in Porto."


def test_a_correction_that_names_what_was_wrong_finds_it(facts):
    *_, corrected = facts("I work at Acme and I live in Lisbon. I have a cat.", "Sorry, Porto, not Lisbon.")
    assert (corrected.slot, corrected.slot_value, corrected.is_correction) == ("ana.home", "Porto", True)


def test_a_message_that_corrects_itself_says_only_what_is_right(facts):
    (fact,) = facts("I live in Lisbon, no, I meant Porto.")
    assert (fact.slot_value, fact.is_correction) == ("Porto", True)


def test_a_statement_may_deny_another(facts):
    (fact,) = facts("I live in Porto, not Lisbon.")
    assert (fact.slot, fact.slot_value, fact.is_correction) == ("ana.home", "Porto", True)


def test_a_correction_of_nothing_is_no_fact(facts):
    assert facts("No, I meant Porto.") == []


def test_appointments_and_deadlines_have_their_day(facts):
    (appointment,) = facts("I have a dentist appointment next Friday at 3pm.")
    assert appointment.slot == "ana.appointment.dentist_appointment"
    assert appointment.slot_value == "19 May 2023 at 15:00"
    (moved,) = facts("My dentist appointment was moved to 23 May.")
    assert (moved.slot, moved.slot_value) == (appointment.slot, "23 May 2023")
    (deadline,) = facts("The deadline for Apollo is 12 June.")
    assert (deadline.slot, deadline.slot_value) == ("apollo.deadline", "12 June 2023")


@pytest.mark.parametrize(
    ("text", "body", "slot", "value"),
    [
        ("Always answer in German.", "Always answer in German.", "user.answer_language", "German"),
        ("please call me Annie", 'Call the user "Annie".', "user.nickname", "Annie"),
        ("From now on, keep it short.", "From now on, keep it short.", "user.answer_length", "short"),
        ("don't use emojis please", "Do not use emojis please.", "user.emoji", "none"),
        ("Never suggest meat dishes to me.", "Never suggest meat dishes to the user.", "", ""),
    ],
)
def test_standing_requests_are_instructions(facts, text, body, slot, value):
    (fact,) = facts(text, name="")
    assert fact.kind is MemoryKind.INSTRUCTION
    assert (fact.body, fact.slot, fact.slot_value) == (body, slot, value)


def test_a_request_for_once_is_no_instruction(facts):
    assert facts("Answer the question in the attached file.") == []
    assert facts("Please send the report to Tom.") == []


def test_what_somebody_is_not_fond_of_is_not_what_they_like(facts):
    for text in ("I'm not really into hiking.", "I'm not a fan of hiking.", "I do not enjoy hiking."):
        assert [(fact.slot, fact.slot_value) for fact in facts(text)] == [("ana.taste.hiking", "dislikes")]


def test_encouragement_is_no_instruction(facts):
    assert facts("Never give up!") == []
    assert facts("Always be yourself.") == []


@pytest.mark.parametrize(
    "text", ["I'm still looking into counselling.", "I like me.", "I love stories that make sense."]
)
def test_what_only_sounds_like_a_liking_is_none(facts, text):
    assert [fact for fact in facts(text) if fact.slot] == []


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("I quit my job at Acme.", "ana.employer", "not Acme"),
        ("I was laid off from Acme last week.", "ana.employer", "not Acme"),
        ("I broke up with Tom.", "ana.partner", "not Tom"),
        ("I sold my Tesla.", "ana.vehicle", "not Tesla"),
        ("I no longer eat meat.", "ana.not_eaten", "meat"),
        ("I've moved to Porto.", "ana.home", "Porto"),
        ("Since January I've been living in Porto.", "ana.home", "Porto"),
        ("I joined Globex last week.", "ana.employer", "Globex"),
        ("I got promoted to senior engineer.", "ana.job", "senior engineer"),
        ("My new favorite color is green.", "ana.favourite_colour", "green"),
        ("My favourite film is The Matrix.", "ana.favourite_film", "The Matrix"),
        ("I love The Beatles.", "ana.taste.the_beatles", "likes"),
        ("Green is my favourite colour.", "ana.favourite_colour", "Green"),
        ("My boss is Mr. Miller.", "ana.manager", "Mr. Miller"),
        ("Everyone in my family is fine. My girlfriend is Julia.", "ana.partner", "Julia"),
        ("Apollo is due on 20 June.", "apollo.deadline", "20 June 2023"),
        ("The Apollo deadline has been pushed back to 20 June.", "apollo.deadline", "20 June 2023"),
    ],
)
def test_other_ways_to_say_it(facts, text, slot, value):
    assert [(fact.slot, fact.slot_value) for fact in facts(text)] == [(slot, value)]
