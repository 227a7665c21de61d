//! A search through a graph finds what a scan finds, whatever was written before and after the graph was built.

mod common;

use common::{bytes, message, partition, search};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::vector::plan::GraphUse;
use mnemic_retrieval::{Close, Index, Row, ScopeIds, ScopeMatch, SearchRequest};

const DIMENSION: usize = 64;
const ROWS: u128 = 12_000;

fn scope(session: Option<&str>) -> ScopeIds {
    ScopeIds {
        session_id: session.map(str::to_owned),
        ..common::user("u")
    }
}

/// One of 61 centres and some of its own.
fn vector(number: u128) -> Vec<u8> {
    let element = |place: u64, seed: u64| {
        let mut hash = (seed << 20 | place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (hash >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let number = number as u64;
    let elements = (0..DIMENSION as u64)
        .map(|place| element(place, number % 61) + element(place, 1_000 + number));
    bytes(&elements.collect::<Vec<f32>>())
}

fn row(number: u128) -> Row<Vec<u8>> {
    let mut memory = message(number, "");
    memory.scope = scope(Some(["a", "b", "c"][number as usize % 3]));
    memory.revision = number as i64;
    Row {
        memory,
        vector: Some(vector(number)),
    }
}

fn close(number: u128, valid_to_micros: Option<i64>) -> Close {
    Close {
        memory_id: number,
        version: 1,
        valid_to_micros,
    }
}

struct Asked<'a> {
    session: Option<&'a str>,
    ended: bool,
}

/// The best ten by number and score.
fn found(index: &Index, near: u128, asked: &Asked<'_>) -> Vec<(u128, f64)> {
    let (partitions, scope, vector) = ([partition("u")], scope(asked.session), vector(near));
    let request = SearchRequest {
        scope_match: ScopeMatch::Exact,
        vector: Some(&vector),
        include_superseded: asked.ended,
        ..search(&partitions, &scope)
    };
    let hits = index.search(&request).expect("a valid request").hits;
    let pairs = hits.iter().map(|hit| (hit.record.memory_id(), hit.score));
    pairs.collect()
}

/// Asks for some near others in every way; how many of those that `scanned` finds `graph` finds too.
fn recall(scanned: &Index, graph: &Index) -> f64 {
    let (mut hits, mut wanted) = (0, 0);
    for (near, session) in (0..90).zip([None, Some("a"), Some("b")].into_iter().cycle()) {
        let asked = Asked {
            session,
            ended: near % 2 == 1,
        };
        let best = found(scanned, 20_000 + near, &asked);
        let found = found(graph, 20_000 + near, &asked);
        wanted += best.len();
        hits += best.iter().filter(|best| found.contains(best)).count();
    }
    f64::from(hits as u32) / f64::from(wanted as u32)
}

fn assert_nearly_all_are_found(scanned: &Index, graph: &Index) {
    let recall = recall(scanned, graph);
    assert!(recall >= 0.99, "recall {recall}");
}

fn build(index: &Index) {
    while index.upkeep(&partition("u")).expect("room for a base") {}
}

/// Two indexes with the same rows, the second with a graph.
fn indexes() -> (Index, Index) {
    let rows: Vec<Row<Vec<u8>>> = (0..ROWS).map(row).collect();
    let indexes = [(); 2].map(|()| {
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        index.load(&partition("u"), &rows).expect("valid rows");
        index
    });
    let [scanned, graph] = indexes;
    graph.set_graph_use(GraphUse::Always(200));
    build(&graph);
    (scanned, graph)
}

#[test]
fn a_graph_changes_hardly_anything_whatever_is_written_after_it() {
    let (scanned, graph) = indexes();
    let both = |rows: &[Row<Vec<u8>>], closes: &[Close]| {
        for index in [&scanned, &graph] {
            index
                .apply(&partition("u"), rows, closes)
                .expect("valid rows");
        }
    };
    let statistics = graph.stats_of(&partition("u"));
    assert!(statistics.graph_rows > 8_000, "{statistics:?}");
    assert_nearly_all_are_found(&scanned, &graph);
    // Rows that are not in the graph yet, deleted ones and ended ones.
    let rows: Vec<Row<Vec<u8>>> = (ROWS..ROWS + 1_000).map(row).collect();
    let deleted = (0..ROWS).step_by(5).map(|number| close(number, None));
    let ended = (1..ROWS).step_by(5).map(|number| close(number, Some(500)));
    both(&rows, &deleted.chain(ended).collect::<Vec<Close>>());
    assert_nearly_all_are_found(&scanned, &graph);
    // Enough of them that the graph is built anew.
    let deleted = (2..ROWS).step_by(5).map(|number| close(number, None));
    both(&[], &deleted.collect::<Vec<Close>>());
    build(&graph);
    let rebuilt = graph.stats_of(&partition("u"));
    assert!(rebuilt.graph_rows < statistics.graph_rows, "{rebuilt:?}");
    assert_nearly_all_are_found(&scanned, &graph);
}
