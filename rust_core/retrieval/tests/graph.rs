//! The graph finds what the exact scan finds, only among what was selected, while it is built and on every SIMD path.

use mnemic_retrieval::vector::graph::{CodeRows, Graph, Reach, Scratch};
use mnemic_retrieval::vector::plan::{GRAPH_FROM_ROWS, GraphPlan, GraphUse};
use mnemic_retrieval::vector::{
    Aligned, Query, SimdPath, TopK, normalize, padded, quantize, scan, score_codes,
};
use proptest::prelude::*;

/// Codes of unit vectors one after another.
struct Rows {
    stride: usize,
    codes: Aligned<u8>,
    scales: Vec<f32>,
    queries: Vec<Query>,
}

impl CodeRows for Rows {
    fn get(&self, row: u32) -> Option<(&[u8], &f32)> {
        let scale = self.scales.get(row as usize)?;
        Some((
            &self.codes[row as usize * self.stride..][..self.stride],
            scale,
        ))
    }
}

impl Rows {
    /// `count` rows and 100 queries of the same kind: points around so many centres, or anywhere if there are none.
    fn new(count: usize, dimension: usize, centres: usize) -> Self {
        let mut chance = Chance(count as u64 + 1);
        let mut centre = |_| {
            (0..dimension)
                .map(|_| chance.signed())
                .collect::<Vec<f32>>()
        };
        let centres: Vec<Vec<f32>> = (0..centres).map(&mut centre).collect();
        let vectors: Vec<Vec<f32>> = (0..count + 100)
            .map(|place| {
                let mut vector: Vec<f32> = (0..dimension).map(|_| chance.signed()).collect();
                if !centres.is_empty() {
                    let centre = &centres[place % centres.len()];
                    for (element, of_centre) in vector.iter_mut().zip(centre) {
                        *element = 0.5 * *element + of_centre;
                    }
                }
                vector
            })
            .collect();
        let (rows, queries) = vectors.split_at(count);
        Self::of(rows, queries)
    }

    fn of(rows: &[Vec<f32>], queries: &[Vec<f32>]) -> Self {
        let stride = padded(rows.first().or(queries.first()).map_or(1, Vec::len));
        let unit = |vector: &Vec<f32>| {
            let mut unit = vec![0.0; stride];
            normalize(vector, &mut unit).expect("no vector is zero");
            unit
        };
        let mut codes = Aligned::zeroed(rows.len() * stride);
        let pairs = rows.iter().zip(codes.chunks_exact_mut(stride));
        let scales = pairs
            .map(|(row, codes)| quantize(&unit(row), codes))
            .collect();
        let queries = queries.iter().map(|query| Query::new(&unit(query)));
        Self {
            stride,
            codes,
            scales,
            queries: queries.collect(),
        }
    }

    fn len(&self) -> u32 {
        self.scales.len() as u32
    }

    fn graph(&self, path: SimdPath, rows: std::ops::Range<u32>) -> Graph {
        let graph = Graph::new(path, self.stride);
        for row in rows {
            assert!(graph.insert(self, row), "there is such a row");
        }
        graph
    }

    /// The best ten rows of a bitmap by a scan of all.
    fn scanned(&self, query: &Query, mask: Option<&[u64]>) -> Vec<(u32, f32)> {
        let mut best = TopK::new(10);
        let path = SimdPath::best();
        scan(
            path,
            &self.codes,
            &self.scales,
            self.stride,
            mask,
            0,
            query,
            &mut best,
        );
        pairs(best)
    }

    fn found(
        &self,
        graph: &Graph,
        query: &Query,
        selected: Option<&[u64]>,
        width: usize,
    ) -> Vec<(u32, f32)> {
        let mut best = TopK::new(10);
        let reach = Reach {
            selected,
            width,
            most: usize::MAX,
        };
        let mut scratch = Scratch::default();
        assert!(graph.search(self, query, &reach, 0, &mut scratch, &mut best));
        pairs(best)
    }

    /// The share of the best ten that the graph finds.
    fn recall(&self, graph: &Graph, mask: Option<&[u64]>, width: usize) -> f64 {
        let (mut hits, mut wanted) = (0, 0);
        for query in &self.queries {
            let best = self.scanned(query, mask);
            let found = self.found(graph, query, mask, width);
            wanted += best.len();
            hits += best.iter().filter(|best| found.contains(best)).count();
        }
        f64::from(hits as u32) / f64::from(wanted as u32)
    }
}

fn pairs(best: TopK) -> Vec<(u32, f32)> {
    let best = best.into_sorted().into_iter();
    best.map(|candidate| (candidate.row, candidate.score))
        .collect()
}

/// Xorshift (Marsaglia).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// A bitmap with each bit set with a chance of one in `one_in`.
    fn mask(&mut self, rows: u32, one_in: u64) -> Vec<u64> {
        let mut mask = vec![0; rows.div_ceil(64) as usize];
        for row in 0..rows {
            let is_selected = self.next() % 1_000 * one_in < 1_000;
            mask[row as usize / 64] |= u64::from(is_selected) << (row % 64);
        }
        mask
    }
}

fn has(mask: &[u64], row: u32) -> bool {
    mask[row as usize / 64] >> (row % 64) & 1 == 1
}

#[test]
fn nearly_all_of_the_nearest_are_found() {
    for (name, rows, at_least) in [
        ("clustered", Rows::new(3_000, 96, 30), 0.99),
        (
            "clustered, not whole lanes",
            Rows::new(2_000, 100, 50),
            0.99,
        ),
        ("random", Rows::new(3_000, 64, 0), 0.95),
    ] {
        let graph = rows.graph(SimdPath::best(), 0..rows.len());
        let recall = rows.recall(&graph, None, 200);
        assert!(recall >= at_least, "{name}: recall {recall}");
        let narrow = rows.recall(&graph, None, 12);
        assert!(narrow <= recall, "{name}: a wider search finds no less");
    }
}

#[test]
fn nearly_all_of_the_nearest_selected_are_found() {
    let rows = Rows::new(3_000, 96, 30);
    let graph = rows.graph(SimdPath::best(), 0..rows.len());
    let mut chance = Chance(5);
    for one_in in [1, 2, 5, 20] {
        let mask = chance.mask(rows.len(), one_in);
        let recall = rows.recall(&graph, Some(&mask), 200);
        assert!(recall >= 0.98, "one in {one_in}: {recall}");
    }
}

#[test]
fn a_search_that_looks_at_too_many_gives_up() {
    let rows = Rows::new(2_000, 64, 0);
    let graph = rows.graph(SimdPath::best(), 0..rows.len());
    let nothing = vec![0; 32];
    let mut best = TopK::new(10);
    let reach = Reach {
        selected: Some(&nothing),
        width: 10,
        most: 500,
    };
    let mut scratch = Scratch::default();
    let query = &rows.queries[0];
    assert!(!graph.search(&rows, query, &reach, 0, &mut scratch, &mut best));
    assert!(best.as_slice().is_empty());
    assert!((500..700).contains(&scratch.looked_at()));
}

#[test]
fn every_path_builds_the_same_graph_and_finds_the_same() {
    let rows = Rows::new(600, 100, 20);
    let portable = rows.graph(SimdPath::Portable, 0..rows.len());
    for path in SimdPath::available() {
        let graph = rows.graph(path, 0..rows.len());
        for query in &rows.queries {
            let expected = rows.found(&portable, query, None, 30);
            assert_eq!(rows.found(&graph, query, None, 30), expected);
        }
    }
}

#[test]
fn a_row_that_is_not_there_is_passed_over() {
    let rows = Rows::new(100, 64, 0);
    let graph = rows.graph(SimdPath::best(), 20..50);
    assert!(!graph.insert(&rows, 100));
    assert_eq!(graph.len(), 30);
    let found = rows.found(&graph, &rows.queries[0], None, 100);
    assert!(found.iter().all(|(row, _)| (20..50).contains(row)));
    assert_eq!(found.len(), 10);
}

#[test]
fn graphs_of_few_rows_are_whole() {
    for count in 0..40 {
        let rows = Rows::new(count, 64, 0);
        let graph = rows.graph(SimdPath::best(), 0..rows.len());
        for query in &rows.queries[..5] {
            let found = rows.found(&graph, query, None, 40);
            assert_eq!(found, rows.scanned(query, None), "{count} rows");
        }
    }
}

#[test]
fn among_equal_rows_enough_are_found() {
    let mut chance = Chance(11);
    let mut vector = || -> Vec<f32> { (0..64).map(|_| chance.signed()).collect() };
    let kinds: Vec<Vec<f32>> = (0..20).map(|_| vector()).collect();
    let vectors: Vec<Vec<f32>> = (0..2_000).map(|row| kinds[row % 20].clone()).collect();
    let rows = Rows::of(&vectors, &kinds);
    let graph = rows.graph(SimdPath::best(), 0..rows.len());
    for query in &rows.queries {
        let scores = |found: Vec<(u32, f32)>| found.into_iter().map(|(_, score)| score);
        let found = rows.found(&graph, query, None, 64);
        assert!(scores(found).eq(scores(rows.scanned(query, None))));
    }
}

#[test]
fn readers_find_rows_with_their_scores_while_others_are_added() {
    let rows = Rows::new(3_000, 64, 10);
    let graph = Graph::new(SimdPath::best(), rows.stride);
    std::thread::scope(|threads| {
        for query in &rows.queries[..2] {
            let (rows, graph) = (&rows, &graph);
            threads.spawn(move || {
                while graph.len() < rows.len() {
                    let before = graph.len();
                    let found = rows.found(graph, query, None, 20);
                    assert!(
                        found.len() >= before.min(10) as usize,
                        "of {before}: {found:?}"
                    );
                    for (row, score) in found {
                        let (codes, &scale) = rows.get(row).expect("a row that is there");
                        assert_eq!(
                            score.to_bits(),
                            score_codes(SimdPath::best(), codes, scale, query).to_bits()
                        );
                    }
                }
            });
        }
        for row in 0..rows.len() {
            graph.insert(&rows, row);
        }
    });
    assert!(rows.recall(&graph, None, 200) >= 0.99);
}

/// As an index does it: rows are ended and others added, a quarter at a time, and when more than a quarter of the
/// graph's rows have ended it is built anew of those that hold.
#[test]
fn turnover_does_not_cost_recall() {
    const LIVE: u32 = 1_500;
    let rows = Rows::new(3 * LIVE as usize, 96, 30);
    let fresh = rows.graph(SimdPath::best(), 0..LIVE);
    let first = mask_of(0..LIVE, rows.len());
    let before = rows.recall(&fresh, Some(&first), 64);
    let (mut graph, mut built_from) = (fresh, 0);
    for end in (LIVE..=3 * LIVE).step_by(LIVE as usize / 4) {
        let begin = end - LIVE;
        for row in (end - LIVE / 4).max(LIVE)..end {
            graph.insert(&rows, row);
        }
        if (begin - built_from) * 4 > end - built_from {
            (graph, built_from) = (rows.graph(SimdPath::best(), begin..end), begin);
        }
        let mask = mask_of(begin..end, rows.len());
        let recall = rows.recall(&graph, Some(&mask), 64);
        assert!(
            recall >= before - 0.01,
            "{begin}..{end}: {recall}, {before} before"
        );
    }
}

fn mask_of(selected: std::ops::Range<u32>, rows: u32) -> Vec<u64> {
    let mut mask = vec![0; rows.div_ceil(64) as usize];
    for row in selected {
        mask[row as usize / 64] |= 1 << (row % 64);
    }
    mask
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is selected, nothing else is found, nothing twice, and each with its int8 score.
    #[test]
    fn only_selected_rows_are_found(
        count in 1_usize..300, one_in in 1_u64..50, width in 1_usize..64, seed in 1_u64..,
    ) {
        let rows = Rows::new(count, 64, 5);
        let graph = rows.graph(SimdPath::best(), 0..rows.len());
        let mask = Chance(seed).mask(rows.len(), one_in);
        for query in &rows.queries[..3] {
            let mut found = rows.found(&graph, query, Some(&mask), width);
            for &(row, score) in &found {
                prop_assert!(has(&mask, row));
                let (codes, &scale) = rows.get(row).expect("a row that is there");
                prop_assert_eq!(score.to_bits(), score_codes(SimdPath::best(), codes, scale, query).to_bits());
            }
            found.sort_unstable_by_key(|&(row, _)| row);
            found.dedup_by_key(|&mut (row, _)| row);
            let selected = mask.iter().map(|word| word.count_ones()).sum::<u32>() as usize;
            prop_assert!(found.len() <= selected.min(width).min(10));
        }
    }
}

/// Widths as they were calibrated on real and harder sentences (decision 6).
#[test]
fn a_graph_is_searched_from_as_many_rows_on_as_it_is_built() {
    let plan = |width, selected, rows| {
        GraphPlan::of(GraphUse::WhereFaster, Some(width), selected, rows, 384, 50)
    };
    assert_eq!(plan(256, 70_000, 70_000), None);
    assert_eq!(plan(320, 150_000, 150_000), None);
    let widths = [(GRAPH_FROM_ROWS, 384), (1_000_000, 768)];
    for (rows, width) in widths {
        assert_eq!(plan(width, rows, rows).map(|plan| plan.width), Some(width));
        assert_eq!(
            plan(width, rows / 10, rows),
            None,
            "a filter leaves a tenth"
        );
    }
    let unknown = GraphPlan::of(GraphUse::WhereFaster, None, 1_000_000, 1_000_000, 384, 50);
    assert_eq!(unknown, None);
}
