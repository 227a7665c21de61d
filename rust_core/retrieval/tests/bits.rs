//! What the 1-bit codes promise: every path the same sums, estimates near the product, and nearly exact results in an index.

mod common;

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::vector::plan::{BITS_FROM_BYTES, Plan};
use mnemic_retrieval::vector::{
    Aligned, BitCodes, BitQuery, Collector, Shortlist, SimdPath, TopK, dot, normalize, padded,
};
use mnemic_retrieval::{Close, Index, Row};
use proptest::prelude::*;

/// Pseudo-random numbers from -1 to 1 (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    fn around(&mut self, centre: &[f32], distance: f32) -> Vec<f32> {
        centre
            .iter()
            .map(|element| element + distance * self.next())
            .collect()
    }

    /// Vectors as sentences have them: topics within subjects, and something common to all.
    fn sentences(&mut self, count: usize, dimension: usize) -> Vec<Vec<f32>> {
        let common = self.around(&vec![0.0; dimension], 0.3);
        let subjects: Vec<_> = (0..count.div_ceil(1_000))
            .map(|_| self.around(&common, 0.4))
            .collect();
        let topics: Vec<_> = (0..count.div_ceil(50))
            .map(|topic| self.around(&subjects[topic % subjects.len()], 0.6))
            .collect();
        (0..count)
            .map(|row| self.around(&topics[row * 7 % topics.len()], 0.7))
            .collect()
    }
}

fn unit_rows(vectors: &[Vec<f32>], stride: usize) -> Aligned<f32> {
    let mut rows = Aligned::zeroed(vectors.len() * stride);
    for (vector, row) in vectors.iter().zip(rows.chunks_exact_mut(stride)) {
        normalize(vector, row).expect("no vector is zero");
    }
    rows
}

/// An index of one partition with these vectors, and the memory's ids in the order of the vectors.
fn index_of(vectors: &[Vec<f32>]) -> Index {
    let rows: Vec<_> = vectors
        .iter()
        .enumerate()
        .map(|(id, vector)| Row {
            memory: message(id as u128, ""),
            vector: Some(bytes(vector)),
        })
        .collect();
    let index = Index::new(vectors[0].len(), SimdPath::best()).expect("a valid dimension");
    index.load(&partition("u"), &rows).expect("valid rows");
    index
}

/// The ids of the best `top_k` by vector.
fn found(index: &Index, query: &[f32], top_k: usize) -> Vec<u128> {
    let (partitions, scope, vector) = ([partition("u")], user("u"), bytes(query));
    let mut request = search(&partitions, &scope);
    request.vector = Some(&vector);
    request.weights = Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights");
    request.top_k = top_k;
    let outcome = index.search(&request).expect("a valid request");
    outcome
        .hits
        .iter()
        .map(|hit| hit.record.memory_id())
        .collect()
}

/// The ids of the best `top_k`, by looking at every row in `f32`; `lives` says which are there.
fn exact(
    units: &[f32],
    stride: usize,
    query: &[f32],
    top_k: usize,
    lives: impl Fn(u128) -> bool,
) -> Vec<u128> {
    let mut unit = Aligned::zeroed(stride);
    normalize(query, &mut unit).expect("the query is not zero");
    let mut scored: Vec<_> = units
        .chunks_exact(stride)
        .enumerate()
        .filter(|(id, _)| lives(*id as u128))
        .map(|(id, row)| (dot(SimdPath::best(), row, &unit), id as u128))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    scored.into_iter().take(top_k).map(|(_, id)| id).collect()
}

fn shared(one: &[u128], other: &[u128]) -> usize {
    one.iter().filter(|id| other.contains(id)).count()
}

#[test]
fn the_plan_follows_the_bytes() {
    let border = BITS_FROM_BYTES.div_ceil(384);
    assert_eq!(Plan::of(border - 1, 384, 50), Plan::Exact);
    assert_eq!(Plan::of(border, 384, 50), Plan::Bits { candidates: 500 });
    assert_eq!(Plan::of(border, 384, 1), Plan::Bits { candidates: 100 });
    assert_eq!(
        Plan::of(BITS_FROM_BYTES.div_ceil(768), 768, 50),
        Plan::Bits { candidates: 400 }
    );
    assert_eq!(
        Plan::of(border, 384, 4_000),
        Plan::Exact,
        "most rows would be read twice"
    );
}

/// Below the threshold of bytes the result is that of a plain list, sealed segments or not.
#[test]
fn below_the_threshold_the_result_is_exact() {
    let vectors = Numbers(11).sentences(9_040, 128);
    let (rows, queries) = vectors.split_at(9_000);
    let (index, units) = (index_of(rows), unit_rows(rows, 128));
    for query in queries {
        assert_eq!(
            found(&index, query, 10),
            exact(&units, 128, query, 10, |_| true)
        );
    }
}

/// Above it nearly every result is the same; what was deleted is not found, what was added last is.
#[test]
fn above_the_threshold_recall_is_at_least_999_in_1000() {
    const DIMENSION: usize = 384;
    let vectors = Numbers(12).sentences(20_200, DIMENSION);
    let (rows, queries) = vectors.split_at(20_000);
    assert!(matches!(
        Plan::of(16_384 * 4 / 5, DIMENSION, 50),
        Plan::Bits { .. }
    ));
    let (index, units) = (index_of(rows), unit_rows(rows, DIMENSION));
    let closes: Vec<Close> = (0..20_000)
        .step_by(5)
        .map(|memory_id| Close {
            memory_id,
            version: 1,
            valid_to_micros: None,
        })
        .collect();
    index
        .apply::<Vec<u8>>(&partition("u"), &[], &closes)
        .expect("valid closes");
    let same: usize = queries
        .iter()
        .map(|query| {
            let found = found(&index, query, 10);
            assert!(found.iter().all(|id| id % 5 != 0));
            shared(
                &found,
                &exact(&units, DIMENSION, query, 10, |id| id % 5 != 0),
            )
        })
        .sum();
    assert!(
        same * 1_000 >= queries.len() * 10 * 999,
        "{same} of {}",
        queries.len() * 10
    );
    for (id, row) in rows
        .iter()
        .enumerate()
        .rev()
        .take(50)
        .filter(|(id, _)| id % 5 != 0)
    {
        assert_eq!(found(&index, row, 1), [id as u128]);
    }
}

#[test]
fn rows_without_a_vector_have_no_part_in_the_mean_and_are_not_needed() {
    let rows = unit_rows(&Numbers(13).sentences(3, 64), 64);
    assert!(BitCodes::of(&rows, 64, &[false; 3]).is_none());
    let bits = BitCodes::of(&rows, 64, &[false, true, false]).expect("one row takes part");
    let query = BitQuery::new(&rows[64..128], 64);
    let mut best = TopK::new(1);
    bits.as_ref().scan(
        SimdPath::best(),
        &[0b10],
        0,
        &rows[64..128],
        &query,
        &mut best,
    );
    let found = best.into_sorted();
    assert_eq!(found[0].row, 1);
    assert!(
        (found[0].score - 1.0).abs() < 1e-5,
        "the row is the mean itself"
    );
}

/// Offers up to 64 rows, one by one or those that reach the threshold together.
fn push_rows(list: &mut Shortlist, scores: &[f32], first_row: u32, in_blocks: bool) {
    if !in_blocks {
        for (row, &score) in (first_row..).zip(scores) {
            list.push(score, row);
            list.push(f32::NAN, row);
        }
        return;
    }
    let (mut block, mut reaching) = ([f32::NAN; 64], 0);
    block[..scores.len()].copy_from_slice(scores);
    for (row, score) in block.iter().enumerate() {
        reaching |= u64::from(*score >= list.threshold()) << row;
    }
    list.push_block(&block, reaching, first_row);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_path_estimates_alike_and_near_the_product(
        dimension in 1_usize..2_200,
        count in 1_usize..150,
        seed in 1_u64..,
        words: [u64; 3],
        base_row in 0_u32..1_000_000,
    ) {
        let stride = padded(dimension);
        let mut numbers = Numbers(seed);
        let rows = unit_rows(&numbers.sentences(count + 1, dimension), stride);
        let (unit, rows) = rows.split_at(stride);
        let bits = BitCodes::of(rows, stride, &vec![true; count]).expect("rows take part");
        let query = BitQuery::new(unit, dimension);
        let inside = |row: usize| row < count && words[row / 64] >> (row % 64) & 1 == 1;
        let mut mask = words;
        for row in (0..192).filter(|&row| !inside(row)) {
            mask[row / 64] &= !(1 << (row % 64));
        }
        let scanned = |path| {
            let mut all = TopK::new(192);
            bits.as_ref().scan(path, &mask, base_row, unit, &query, &mut all);
            all.into_sorted()
        };
        let expected = scanned(SimdPath::Portable);
        prop_assert_eq!(expected.len(), (0..192).filter(|&row| inside(row)).count());
        for found in &expected {
            let row = (found.row - base_row) as usize;
            prop_assert!(inside(row));
            let exact = dot(SimdPath::Portable, &rows[row * stride..][..stride], unit);
            // The bits lose about 0.8 / sqrt(d) of the product with a random direction; six times that is never seen.
            prop_assert!((found.score - exact).abs() < 6.0 / (dimension as f32).sqrt(), "{} for {exact}", found.score);
        }
        for path in SimdPath::available() {
            let base = dot(path, unit, unit);
            prop_assert!(base > 0.9);
            for (one, other) in scanned(path).iter().zip(&expected) {
                // The product with the mean is a float sum, whose order is the path's own.
                prop_assert!((one.score - other.score).abs() < 1e-5, "{path:?}");
            }
        }
    }

    #[test]
    fn a_shortlist_has_all_that_is_within_its_margin_of_the_best(
        scores in prop::collection::vec(-1.0_f32..1.0, 0..3_000),
        count in 1_usize..80,
        margin in 0.0_f32..0.2,
        used_before: bool,
        in_blocks: bool,
    ) {
        for path in SimdPath::available() {
            let mut list = Shortlist::default();
            if used_before {
                list.reset(path, 3, 2.0);
                list.push(9.0, 9);
            }
            list.reset(path, count, margin);
            for (block, rows) in scores.chunks(64).enumerate() {
                push_rows(&mut list, rows, 64 * block as u32, in_blocks);
            }
            let (kept, rows) = list.pruned();
            prop_assert!(rows.is_sorted());
            for (score, &row) in kept.iter().zip(rows) {
                prop_assert_eq!(score.to_bits(), scores[row as usize].to_bits());
            }
            let mut sorted = scores.clone();
            sorted.sort_by(|one, other| other.total_cmp(one));
            let worst = sorted.get(count - 1).copied().unwrap_or(f32::NEG_INFINITY);
            let wanted = scores.iter().filter(|&&score| score >= worst - margin).count();
            prop_assert!(rows.len() >= wanted);
            for (row, score) in scores.iter().enumerate() {
                prop_assert!(*score < worst - margin || rows.binary_search(&(row as u32)).is_ok());
            }
        }
    }
}
