//! Words and names over thousands of rows: what is skipped on the way changes nothing.

mod common;

use std::collections::BTreeSet;

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::entity::rarity;
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::text::{Bm25, terms};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Hit, Index, Memory, Row, SearchRequest};

/// Several windows of rows, the last of them not full.
const ROWS: usize = 11_000;
const WORDS: usize = 3_000;
const TOP_K: usize = 10;
/// What the best by each signal are taken from with so many hits.
const CANDIDATES: usize = 50;

/// Pseudo-random numbers (xorshift), the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end
    }

    /// Small numbers come often, as common words do.
    fn word(&mut self) -> String {
        let end = self.below(WORDS) + 1;
        let end = self.below(end) + 1;
        word(self.below(end))
    }
}

/// A number in letters that have no stem and make no name.
fn word(number: usize) -> String {
    let digits = number.to_string();
    let letter = |digit: u8| char::from(b"bcdfghjklm"[usize::from(digit - b'0')]);
    digits.bytes().map(letter).collect()
}

/// Of every time there are three memories.
fn memories() -> Vec<Memory> {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let one = |id: usize| {
        let length = 1 + numbers.below(12);
        let words: Vec<String> = (0..length).map(|_| numbers.word()).collect();
        let names = ["ann", "bob", "cleo"].into_iter().zip([2, 9, 300]);
        let entities = names.filter(|(_, one_in)| numbers.below(*one_in) == 0);
        Memory {
            event_time_micros: Some(((id * 7_919) % ROWS / 3) as i64),
            entities: entities.map(|(name, _)| name.to_owned()).collect(),
            revision: id as i64,
            ..message(id as u128, &words.join(" "))
        }
    };
    let mut memories: Vec<Memory> = (0..ROWS).map(one).collect();
    // Longer than a posting can say, in the middle of a window.
    memories[5_000].body = format!("{} {} ", word(1), word(2_999)).repeat(40_000);
    memories[5_001].body = format!("{} {} ", word(1), word(2_998)).repeat(40_000) + &word(2);
    memories
}

/// A memory with its signals for one question.
struct Expected<'a> {
    memory: &'a Memory,
    lexical: f64,
    entity: f64,
    /// Whether it has one of the names, be it worth nothing.
    is_named: bool,
}

fn expected<'a>(memories: &[&'a Memory], texts: &[&[String]], question: &str) -> Vec<Expected<'a>> {
    let query: BTreeSet<String> = terms(question).into_iter().collect();
    let names: BTreeSet<&str> = question.split(' ').collect();
    let (rows, bm25) = (memories.len() as u64, Bm25::default());
    let total: usize = texts.iter().map(|text| text.len()).sum();
    let average = total as f64 / rows as f64;
    let mut lexical = vec![0.0; memories.len()];
    for term in &query {
        let tf = |text: &[String]| text.iter().filter(|other| *other == term).count() as f64;
        let frequencies: Vec<f64> = texts.iter().map(|text| tf(text)).collect();
        let df = frequencies.iter().filter(|tf| **tf > 0.0).count() as u64;
        let idf = f64::from(bm25.idf(rows, df));
        let (k1, b) = (f64::from(bm25.k1), f64::from(bm25.b));
        for ((score, tf), text) in lexical.iter_mut().zip(frequencies).zip(texts) {
            *score += idf * tf / (tf + k1 * (1.0 - b + b * text.len() as f64 / average));
        }
    }
    let holds = |memory: &Memory, name: &str| memory.entities.iter().any(|other| other == name);
    let worth = |name: &&str| {
        let df = memories.iter().filter(|memory| holds(memory, name)).count();
        f64::from(rarity(rows, df as u64))
    };
    let worths: Vec<(&str, f64)> = names.iter().map(|name| (*name, worth(name))).collect();
    let of = |(memory, lexical): (&&'a Memory, f64)| {
        let shared = worths.iter().filter(|(name, _)| holds(memory, name));
        Expected {
            memory,
            lexical,
            is_named: shared.clone().count() > 0,
            entity: shared.map(|(_, worth)| worth).sum(),
        }
    };
    memories.iter().zip(lexical).map(of).collect()
}

fn newness(memory: &Memory) -> (Option<i64>, i64) {
    (memory.event_time_micros, memory.revision)
}

/// The places of the best by a signal, the newer first among equals.
fn best(rows: &[Expected<'_>], signal: impl Fn(&Expected<'_>) -> f64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|&row| signal(&rows[row]) > 0.0)
        .collect();
    order.sort_by(|&a, &b| {
        let by_value = signal(&rows[b]).total_cmp(&signal(&rows[a]));
        by_value.then_with(|| newness(rows[b].memory).cmp(&newness(rows[a].memory)))
    });
    order.truncate(count);
    order
}

fn raw(hit: &Hit, signal: usize) -> f64 {
    let parts = hit.parts.expect("the request asks to explain");
    parts[signal].map_or(0.0, |part| part.raw)
}

fn check(index: &Index, rows: &[Expected<'_>], question: &str) {
    let (key, scope) = ([partition("u")], user("u"));
    let ask = |weights: [f64; SIGNALS]| {
        let request = SearchRequest {
            text: question,
            weights: Weights::new(weights).expect("valid weights"),
            top_k: TOP_K,
            explain: true,
            ..search(&key, &scope)
        };
        index.search(&request).expect("a valid request").hits
    };
    let of = |hit: &Hit| {
        let id = hit.record.memory_id();
        rows.iter().find(|row| row.memory.memory_id == id)
    };
    for (signal, weights) in [
        (1, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (2, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ] {
        let value = |row: &Expected<'_>| if signal == 1 { row.lexical } else { row.entity };
        let hits = ask(weights);
        let best = best(rows, value, TOP_K);
        assert_eq!(hits.len(), best.len(), "{question}");
        for (hit, &place) in hits.iter().zip(&best) {
            let expected = value(&rows[place]);
            assert!(
                (raw(hit, signal) - expected).abs() < 1e-4,
                "{question}: {expected}"
            );
            let found = value(of(hit).expect("only rows that are there"));
            let is_same = hit.record.memory_id() == rows[place].memory.memory_id;
            assert!(
                is_same || (found - expected).abs() < 1e-5 && found.to_bits() != expected.to_bits(),
                "{question}: an older one of equals"
            );
        }
    }
    let hits = ask([0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
    let pool: BTreeSet<usize> = best(rows, |row| row.lexical, CANDIDATES)
        .into_iter()
        .chain(best(rows, |row| row.entity, CANDIDATES))
        .collect();
    let largest = |signal: fn(&Expected<'_>) -> f64| {
        pool.iter()
            .map(|&row| signal(&rows[row]))
            .fold(0.0, f64::max)
    };
    let (lexical, entity) = (largest(|row| row.lexical), largest(|row| row.entity));
    let fused = |row: &Expected<'_>| {
        let by_words = if lexical > 0.0 {
            row.lexical / lexical
        } else {
            0.0
        };
        if !rows.iter().any(|row| row.is_named) {
            return by_words;
        }
        0.5 * by_words + 0.5 * row.entity / entity.max(1.0)
    };
    let mut scores: Vec<f64> = pool.iter().map(|&row| fused(&rows[row])).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(hits.len(), scores.len().min(TOP_K), "{question}");
    for (hit, score) in hits.iter().zip(scores) {
        assert!(
            (hit.score - score).abs() < 1e-4,
            "{question}: {} for {score}",
            hit.score
        );
        let row = of(hit).expect("only rows that are there");
        assert!((raw(hit, 1) - row.lexical).abs() < 1e-4, "{question}");
        assert!((raw(hit, 2) - row.entity).abs() < 1e-4, "{question}");
    }
}

fn questions() -> Vec<String> {
    let mut numbers = Numbers(362_436_069_123_456_789);
    let mut questions = vec![
        "w1".to_owned(),
        "w1 w2999".to_owned(),
        "w1 w2998 ann".to_owned(),
    ];
    for number in 0..40 {
        let mut words: Vec<String> = (0..=number % 7).map(|_| numbers.word()).collect();
        let names: [&[&str]; 4] = [&[], &["ann"], &["bob", "ann"], &["cleo", "bob", "ann"]];
        words.extend(names[number % 4].iter().map(|&name| name.to_owned()));
        questions.push(words.join(" "));
    }
    questions
}

#[test]
fn the_best_of_many_rows_are_those_of_a_plain_list_before_and_after_deletions() {
    let index = Index::new(1, SimdPath::best()).expect("a valid dimension");
    let memories = memories();
    let texts: Vec<Vec<String>> = memories.iter().map(|memory| terms(&memory.body)).collect();
    let row = |memory: &Memory| Row {
        memory: memory.clone(),
        vector: Some(bytes(&[1.0])),
    };
    let rows: Vec<Row<Vec<u8>>> = memories.iter().map(row).collect();
    index.load(&partition("u"), &rows).expect("valid rows");
    let all: Vec<&Memory> = memories.iter().collect();
    let all_texts: Vec<&[String]> = texts.iter().map(Vec::as_slice).collect();
    for question in questions() {
        check(&index, &expected(&all, &all_texts, &question), &question);
    }
    let is_deleted = |memory: &Memory| memory.memory_id % 3 == 1;
    let deleted = memories.iter().filter(|memory| is_deleted(memory));
    let closes: Vec<Close> = deleted
        .map(|memory| Close {
            memory_id: memory.memory_id,
            version: 1,
            valid_to_micros: None,
        })
        .collect();
    index
        .apply::<Vec<u8>>(&partition("u"), &[], &closes)
        .expect("valid closes");
    let left = memories
        .iter()
        .zip(&texts)
        .filter(|(memory, _)| !is_deleted(memory));
    let (left, left_texts): (Vec<&Memory>, Vec<&[String]>) =
        left.map(|(memory, text)| (memory, text.as_slice())).unzip();
    for question in questions() {
        check(&index, &expected(&left, &left_texts, &question), &question);
    }
}
