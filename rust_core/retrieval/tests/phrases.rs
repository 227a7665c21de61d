//! Quoted phrases and identifiers lift the memories that have them as they were written.

mod common;

use std::collections::BTreeSet;

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::text::{Bm25, analyze, terms};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Hit, Index, Memory, Row, SearchRequest};

/// Words alone.
const WEIGHTS: [f64; SIGNALS] = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];

fn filled(memories: &[Memory]) -> Index {
    let row = |memory: &Memory| Row {
        memory: memory.clone(),
        vector: Some(bytes(&[1.0])),
    };
    let rows: Vec<Row<Vec<u8>>> = memories.iter().map(row).collect();
    let index = Index::new(1, SimdPath::best()).expect("a valid dimension");
    index.load(&partition("u"), &rows).expect("valid rows");
    index
}

fn index(texts: &[&str]) -> Index {
    let memories: Vec<Memory> = (1..)
        .zip(texts)
        .map(|(id, text)| message(id, text))
        .collect();
    filled(&memories)
}

/// The ids of the hits with what the words said of them.
fn find(index: &Index, text: &str) -> Vec<(u128, f64)> {
    let (key, scope) = ([partition("u")], user("u"));
    let request = SearchRequest {
        text,
        weights: Weights::new(WEIGHTS).expect("valid weights"),
        explain: true,
        ..search(&key, &scope)
    };
    let hits = index.search(&request).expect("a valid request").hits;
    let raw = |hit: &Hit| {
        let parts = hit.parts.expect("the request asks to explain");
        parts[1].expect("words take part").raw
    };
    hits.iter()
        .map(|hit| (hit.record.memory_id(), raw(hit)))
        .collect()
}

fn ids(found: &[(u128, f64)]) -> Vec<u128> {
    found.iter().map(|&(id, _)| id).collect()
}

const SKIES: [&str; 4] = [
    "Blue house, grey sky.",
    "Under the blue sky we had lunch, and then we walked home along the long river and slept.",
    "The sky was not blue when we left, and it had not been for more than a week, I think, or two.",
    "Nothing of the kind.",
];

#[test]
fn a_memory_with_the_phrase_comes_before_those_that_only_have_its_words() {
    let index = index(&SKIES);
    assert_eq!(
        ids(&find(&index, "blue sky")),
        [1, 3, 2],
        "the shorter first"
    );
    let found = ids(&find(&index, "\"blue sky\""));
    assert_eq!(
        found,
        [2, 1, 3],
        "nothing is lost that the words alone find"
    );
    for quoted in ["“blue sky”", "„blue sky“", "«Blue Sky»"] {
        assert_eq!(ids(&find(&index, quoted)), found, "{quoted}");
    }
    let reversed = find(&index, "\"sky blue\"");
    assert_eq!(reversed, find(&index, "blue sky"), "the order counts");
}

#[test]
fn a_phrase_lifts_by_what_its_words_can_be_worth_at_most() {
    let index = index(&SKIES);
    let (plain, quoted) = (find(&index, "blue sky"), find(&index, "\"blue sky\""));
    let idf = Bm25::default().idf(4, 3);
    for (id, score) in quoted {
        let before = plain
            .iter()
            .find(|&&(other, _)| other == id)
            .expect("found without quotes")
            .1;
        let lift = if id == 2 { f64::from(2.0 * idf) } else { 0.0 };
        assert!(
            (score - before - lift).abs() < 1e-6,
            "{id}: {before} and {score}"
        );
    }
}

#[test]
fn stop_words_of_a_phrase_keep_their_places() {
    let index = index(&[
        "The lord, whose rings were many, slept.",
        "We watched the lord of the rings, all of it, from the beginning to the end, without a break.",
    ]);
    assert_eq!(ids(&find(&index, "\"lord of the rings\"")), [2, 1]);
    assert_eq!(
        ids(&find(&index, "\"lord with many rings\"")),
        [1, 2],
        "many is known"
    );
    let unpaired = find(&index, "\"lord of the rings");
    assert_eq!(unpaired, find(&index, "lord of the rings"));
}

#[test]
fn the_name_of_a_speaker_can_belong_to_a_phrase() {
    let mut memories = [
        message(1, "I told Mel: stop."),
        message(2, "Stop it now, all of you, please, I beg you."),
    ];
    memories[1].name = "Mel".to_owned();
    let index = filled(&memories);
    assert_eq!(ids(&find(&index, "\"Mel: stop\""))[..2], [1, 2]);
    assert!(find(&index, "\"Mel: stop it now\"").len() == 2);
}

#[test]
fn a_whole_identifier_comes_before_its_parts() {
    let cases = [
        (
            "ERR-4012",
            "err 4012 err 4012: 4012 err",
            "Then, after a long while, it said ERR-4012 and went away for good.",
        ),
        (
            "foo@bar.com",
            "foo bar com foo bar com",
            "Write to whoever it may concern in the office at foo@bar.com by Monday.",
        ),
        (
            "/etc/hosts",
            "etc hosts etc hosts",
            "One line in the file /etc/hosts was wrong for as long as anybody remembers.",
        ),
        (
            "v1.2.3",
            "v1 2 3 v1 2 3",
            "Nobody who has ever worked with it wants version v1.2.3 back again, I think.",
        ),
        (
            "978-3-16-148410-0",
            "978 3 16 148410 0 978 3 16 148410 0",
            "The book that I meant the other day has the number 978-3-16-148410-0.",
        ),
    ];
    for (identifier, parts, whole) in cases {
        let index = index(&[whole, parts, "Something else."]);
        let found = find(&index, &format!("what about {identifier}?"));
        assert_eq!(ids(&found), [1, 2], "{identifier}");
    }
}

/// Pseudo-random numbers (xorshift), the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end
    }

    /// A word without a stem; small numbers come often.
    fn word(&mut self) -> String {
        let end = self.below(40) + 1;
        let number = self.below(end);
        let letter = |digit: usize| char::from(b"bcdfghjklm"[digit]);
        [letter(number / 10), letter(number % 10), 'x']
            .iter()
            .collect()
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }
}

fn placed(text: &str) -> Vec<(String, u32)> {
    let mut placed = Vec::new();
    analyze(text, &mut |term, position| {
        placed.push((term.to_owned(), position));
    });
    placed
}

/// What the words of a query and its one phrase say of each memory, computed from its text.
fn expected(memories: &[&Memory], words: &str, phrase: &str) -> Vec<(u128, f64)> {
    let texts: Vec<Vec<(String, u32)>> =
        memories.iter().map(|memory| placed(&memory.body)).collect();
    let total: usize = texts.iter().map(Vec::len).sum();
    let average = total as f32 / texts.len() as f32;
    let bm25 = Bm25::default();
    let frequency = |text: &[(String, u32)], term: &String| {
        text.iter().filter(|(other, _)| other == term).count() as u32
    };
    let idf = |term: &String| {
        let with_term = texts
            .iter()
            .filter(|text| frequency(text, term) > 0)
            .count();
        bm25.idf(texts.len() as u64, with_term as u64)
    };
    let query: BTreeSet<String> = terms(&format!("{words} {phrase}")).into_iter().collect();
    let query: Vec<(String, f32)> = query
        .into_iter()
        .map(|term| (term.clone(), idf(&term)))
        .collect();
    let in_phrase: BTreeSet<String> = terms(phrase).into_iter().collect();
    let lift: f32 = in_phrase.iter().map(idf).sum();
    let phrase = format!(" {phrase} ");
    let score = |(memory, text): (&&Memory, &Vec<(String, u32)>)| {
        let of_term = |(term, idf): &(String, f32)| {
            bm25.term_score(*idf, frequency(text, term), text.len() as u32, average)
        };
        let sum: f32 = query.iter().map(of_term).sum();
        let has_phrase = format!(" {} ", memory.body).contains(&phrase);
        (
            memory.memory_id,
            f64::from(sum + if has_phrase { lift } else { 0.0 }),
        )
    };
    memories.iter().zip(&texts).map(score).collect()
}

#[test]
fn the_best_of_many_rows_are_found_with_phrases_before_and_after_deletions() {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let memories: Vec<Memory> = (0..20_000)
        .map(|id| {
            let count = 2 + numbers.below(9);
            message(id, &numbers.words(count))
        })
        .collect();
    let index = filled(&memories);
    let questions: Vec<(String, String)> = (0..6)
        .map(|number| (numbers.words(number % 3), numbers.words(2 + number % 2)))
        .collect();
    let check = |memories: &[&Memory]| {
        for (words, phrase) in &questions {
            let found = find(&index, &format!("{words} \"{phrase}\""));
            let all = expected(memories, words, phrase);
            let mut best: Vec<f64> = all.iter().map(|&(_, score)| score).collect();
            best.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(found.len(), 10);
            for (&(id, score), best) in found.iter().zip(best) {
                let (_, expected) = all
                    .iter()
                    .find(|&&(other, _)| other == id)
                    .expect("only memories that are there");
                assert!(
                    (score - expected).abs() < 1e-4,
                    "{words} \"{phrase}\": {score} of {expected}"
                );
                assert!(
                    (score - best).abs() < 1e-4,
                    "{words} \"{phrase}\": {score} for {best}"
                );
            }
        }
    };
    check(&memories.iter().collect::<Vec<_>>());
    let is_deleted = |memory: &Memory| memory.memory_id % 4 != 1;
    let close = |memory: &Memory| Close {
        memory_id: memory.memory_id,
        version: 1,
        valid_to_micros: None,
    };
    let closes: Vec<Close> = memories
        .iter()
        .filter(|memory| is_deleted(memory))
        .map(close)
        .collect();
    index
        .apply::<Vec<u8>>(&partition("u"), &[], &closes)
        .expect("valid closes");
    check(
        &memories
            .iter()
            .filter(|memory| !is_deleted(memory))
            .collect::<Vec<_>>(),
    );
}
