"""The loaders of bench-quality read the original formats; the files here are tiny and made by hand."""

import json
from datetime import UTC, datetime

import pytest

from bench.quality import beam, locomo, longmemeval
from bench.quality.corpora import Conversation, Corpus, Question

LOCOMO = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bob",
            "session_10_date_time": "10:00 am on 2 June, 2023",
            "session_10": [{"speaker": "Bob", "dia_id": "D10:1", "text": "Later."}],
            "session_2_date_time": "1:56 pm on 8 May, 2023",
            "session_2": [
                {"speaker": "Ann", "dia_id": "D2:1", "text": "Look!", "blip_caption": "a red boat", "img_url": ["x"]},
                {"speaker": "Bob", "dia_id": "D2:2", "text": "Nice."},
            ],
        },
        "qa": [
            {"question": "What colour is the boat?", "answer": "red", "evidence": ["D2:1"], "category": 4},
            {"question": "Both?", "answer": "", "evidence": ["D2:1; D2:02", "D:10:1", "D9:9"], "category": 1},
            {"question": "Never said?", "adversarial_answer": "", "evidence": ["D2:1"], "category": 5},
            {"question": "Without evidence?", "answer": "", "evidence": [], "category": 3},
        ],
    }
]


@pytest.fixture
def locomo_corpus(tmp_path) -> Corpus:
    path = tmp_path / "locomo10.json"
    path.write_text(json.dumps(LOCOMO))
    return locomo.load(path)


def test_locomo_sessions_come_by_number_and_turns_a_second_apart(locomo_corpus):
    turns = locomo_corpus.conversations[0].turns
    assert [(turn.turn_id, turn.session, turn.name) for turn in turns] == [
        ("D2:1", 2, "Ann"),
        ("D2:2", 2, "Bob"),
        ("D10:1", 10, "Bob"),
    ]
    assert turns[0].spoken_at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    assert turns[1].spoken_at == datetime(2023, 5, 8, 13, 56, 1, tzinfo=UTC)


def test_locomo_captions_are_part_of_the_turn(locomo_corpus):
    assert locomo_corpus.conversations[0].turns[0].body == "Look! [shares a picture: a red boat]"


def test_locomo_questions_of_four_types_with_the_evidence_that_exists(locomo_corpus):
    questions = locomo_corpus.conversations[0].questions
    assert [(question.kind, question.evidence) for question in questions] == [
        ("single-hop", {"D2:1"}),
        ("multi-hop", {"D2:1", "D2:2", "D10:1"}),
    ]
    assert questions[0].text == "What colour is the boat?"
    assert questions[0].asked_at == datetime(2023, 6, 2, 10, 0, tzinfo=UTC)


BEAM_CHAT = [
    {
        "batch_number": 1,
        "time_anchor": None,
        "turns": [
            [
                {"role": "user", "id": 0, "time_anchor": "March-15-2024", "content": "I keep bees. ->-> 1,1"},
                {"role": "assistant", "id": 1, "content": "How many hives? a ->-> b"},
                {"role": "user", "id": 2, "content": "Two:\n```\nx ->-> y\n```"},
                {"role": "assistant", "id": 3, "content": "Good."},
            ],
            [{"role": "user", "id": 4, "content": "And a cat. ->-> 1,N/A"}],
        ],
    },
    {
        "batch_number": 2,
        "time_anchor": "April-01-2024",
        "turns": [[{"role": "user", "id": 5, "content": "Now three hives. ->-> 2,14)"}]],
    },
]
BEAM_QUESTIONS = {
    "abstention": [{"question": "What is the name of my dog?", "rubric": []}],
    "knowledge_update": [
        {"question": "How many hives?", "source_chat_ids": {"original_info": [3], "updated_info": [5]}},
        {"question": "Nothing?", "source_chat_ids": []},
    ],
    "event_ordering": [{"question": "In which order?", "source_chat_ids": [0, "4", 0]}],
}


@pytest.fixture
def beam_corpus(tmp_path) -> Corpus:
    for name in ("10", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "chat.json").write_text(json.dumps(BEAM_CHAT))
    (tmp_path / "2" / "probing_questions.json").write_text(json.dumps(BEAM_QUESTIONS))
    (tmp_path / "10" / "probing_questions").mkdir()
    (tmp_path / "10" / "probing_questions" / "probing_questions.json").write_text(json.dumps(BEAM_QUESTIONS))
    return beam.load(tmp_path)


def test_beam_finds_the_questions_in_both_layouts_and_sorts_chats_by_number(beam_corpus):
    assert [conversation.conversation_id for conversation in beam_corpus.conversations] == ["2", "10"]
    assert [len(conversation.questions) for conversation in beam_corpus.conversations] == [2, 2]


def test_beam_remembers_the_user_and_strips_the_marks_at_the_end_only(beam_corpus):
    turns = beam_corpus.conversations[0].turns
    assert [turn.body for turn in turns] == [
        "I keep bees.",
        "Two:\n```\nx ->-> y\n```",
        "And a cat.",
        "Now three hives.",
    ]


def test_beam_batches_are_sessions_with_the_day_of_their_anchor(beam_corpus):
    turns = beam_corpus.conversations[0].turns
    assert [(turn.session, turn.spoken_at, turn.day_only) for turn in turns] == [
        *[(0, datetime(2024, 3, 15, tzinfo=UTC), True)] * 3,
        (1, datetime(2024, 4, 1, tzinfo=UTC), True),
    ]


def test_beam_evidence_of_the_assistant_is_the_message_before_it(beam_corpus):
    questions = {question.kind: question.evidence for question in beam_corpus.conversations[0].questions}
    assert questions == {"knowledge update": {"2", "5"}, "event ordering": {"0", "4"}}
    assert beam_corpus.conversations[0].questions[0].asked_at == datetime(2024, 4, 1, tzinfo=UTC)


def test_beam_says_when_a_directory_holds_no_chat(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no chat\.json"):
        beam.load(tmp_path)


LONGMEMEVAL = [
    {
        "question_id": "q1",
        "question_type": "multi-session",
        "question": "How many plants?",
        "answer": "2",
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_session_ids": ["s2", "answer_s1"],
        "haystack_dates": ["2023/05/25 (Thu) 10:00", "2023/05/20 (Sat) 02:21"],
        "haystack_sessions": [
            [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": " "}],
            [
                {"role": "user", "content": "I bought two plants.", "has_answer": True},
                {"role": "assistant", "content": "Great!", "has_answer": False},
            ],
        ],
        "answer_session_ids": ["answer_s1"],
    },
    {
        "question_id": "q2_abs",
        "question_type": "multi-session",
        "question": "How many dogs?",
        "answer": "",
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_session_ids": ["s2"],
        "haystack_dates": ["2023/05/25 (Thu) 10:00"],
        "haystack_sessions": [[{"role": "user", "content": "Hello."}]],
        "answer_session_ids": ["s2"],
    },
]


def test_longmemeval_gives_each_question_its_history_in_the_order_of_time(tmp_path):
    path = tmp_path / "longmemeval_s.json"
    path.write_text(json.dumps(LONGMEMEVAL))
    (conversation,) = longmemeval.load(path).conversations
    assert [(turn.session, turn.body, turn.is_user) for turn in conversation.turns] == [
        (0, "I bought two plants.", True),
        (0, "Great!", False),
        (1, "Hello.", True),
    ]
    assert conversation.turns[0].spoken_at == datetime(2023, 5, 20, 2, 21, tzinfo=UTC)
    (question,) = conversation.questions
    assert question.evidence == {conversation.turns[0].turn_id}
    assert (question.kind, question.asked_at) == ("multi-session", datetime(2023, 5, 30, 23, 40, tzinfo=UTC))


def test_a_subset_takes_questions_from_all_over_a_conversation():
    questions = [Question(str(i), "?", "kind", frozenset({"a"})) for i in range(10)]
    corpus = Corpus("made up", [Conversation(name, [], questions) for name in "abc"])
    (first, second) = corpus.subset(2, 5, 1).conversations
    assert (first.conversation_id, second.conversation_id) == ("a", "b")
    assert [question.question_id for question in first.questions] == ["0", "2", "4", "6", "8"]


def test_a_subset_of_conversations_with_few_questions_has_more_of_them():
    conversations = [Conversation(str(i), [], [Question(str(i), "?", "kind", frozenset({"a"}))]) for i in range(30)]
    assert len(Corpus("made up", conversations).subset(2, 50, 20).conversations) == 20
