//! A search: select, retrieve by each signal, score every candidate on every signal, fuse.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::candidates::{Candidates, Retrieved};
use super::choose::Groups;
use super::hits::{LastScope, add_neighbours, hit_of, join};
use super::nearest::VectorSignal;
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use super::understanding::corrected_in;
use super::widening::Widening;
use super::{
    Hit, Index, MAX_CANDIDATES, MAX_CONTEXT_WINDOW, MAX_TOP_K, SearchOutcome, SearchRequest,
    Support,
};
use crate::Error;
use crate::fusion::{ACTOR, Columns, LEXICAL, RECENCY, VECTOR};
use crate::partition::view::View;
use crate::vector::{Query, decode_f32_le_into, normalize};

/// Each retriever gives at least so many candidates for each hit asked for.
const CANDIDATES_FOR_A_HIT: usize = 4;

thread_local! {
    /// The lists of the searches of this thread.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Memory that lives from search to search, so that one allocates little beyond its answer.
#[derive(Default)]
struct Scratch {
    decoded: Vec<f32>,
    query: Query,
    candidates: Candidates,
    widening: Widening,
    columns: Columns,
    scores: Vec<f64>,
    /// Scores with the places of their candidates.
    order: Vec<(f64, usize)>,
    seen: HashSet<u128, RandomState>,
}

impl Index {
    /// Searches partitions of one tenant.
    ///
    /// Candidates are the union of the best by vector, by words and by names; each gets every signal. A search that has
    /// nothing but recency to go by finds nothing.
    ///
    /// # Errors
    ///
    /// The vector cannot be taken, the partitions are of several tenants, or a number is out of its bounds.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<SearchOutcome, Error> {
        let mut seen: HashSet<_, RandomState> = HashSet::default();
        let is_one = request.partitions.len() == 1;
        let keys = request
            .partitions
            .iter()
            .filter(|key| is_one || seen.insert(*key));
        self.search_views(request, keys.filter_map(|key| self.view(key)))
    }

    /// Searches the states of distinct partitions.
    pub(super) fn search_views(
        &self,
        request: &SearchRequest<'_>,
        views: impl Iterator<Item = Arc<View>>,
    ) -> Result<SearchOutcome, Error> {
        check(request)?;
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let (selector, is_one) = (Selector::new(request), views.size_hint().1 == Some(1));
        // What the sources ask for comes while the query's vector is prepared.
        let sources = Sources::new(views.map(|view| {
            if is_one {
                view.prefetch(request.vector.is_some());
            }
            let selected = selector.select(&view);
            (view, selected)
        }))?;
        let vector = self.vector_signal(request, &mut scratch)?;
        let considered = sources.selected();
        let text = corrected_in(&sources, request);
        let request = &SearchRequest {
            text: &text,
            ..request.clone()
        };
        let retrieved = Retrieved::new(&sources, &selector, request, vector);
        let mut hits = retrieved.search(request, &mut scratch);
        let support = retrieved.support(&scratch);
        if let Some(vector) = retrieved.vector {
            scratch.query = vector.query;
        }
        SCRATCH.set(Some(scratch));
        sources
            .iter()
            .try_for_each(|source| source.view.check_damage())?;
        let calibrated = support.zip(request.calibration);
        let confidence = calibrated.map(|(support, calibration)| calibration.confidence(support));
        if confidence.is_some_and(|confidence| confidence < request.min_confidence) {
            hits.clear();
        }
        Ok(SearchOutcome {
            hits,
            considered,
            support,
            confidence,
        })
    }

    fn vector_signal(
        &self,
        request: &SearchRequest<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<VectorSignal>, Error> {
        let Some(bytes) = request.vector else {
            return Ok(None);
        };
        let (mut query, vector) = (std::mem::take(&mut scratch.query), &mut scratch.decoded);
        decode_f32_le_into(bytes, self.dimension(), vector)
            .and_then(|()| query.prepare(self.dimension(), |unit| normalize(vector, unit)))
            .map_err(|source| Error::vector("vector", source))?;
        let signal = VectorSignal {
            query,
            path: self.simd_path(),
            dimension: self.dimension(),
            graph_use: self.graph_use(),
        };
        Ok(request.weights.counts(VECTOR).then_some(signal))
    }
}

fn check(request: &SearchRequest<'_>) -> Result<(), Error> {
    let mut pairs = request.partitions.windows(2);
    if pairs.any(|pair| pair[0].tenant != pair[1].tenant) {
        return Err(Error::field_of(
            "partitions",
            "they are of several tenants; one search stays within one tenant",
        ));
    }
    if !(1..=MAX_TOP_K).contains(&request.top_k) {
        return Err(Error::field_of(
            "top_k",
            format!("{} is not between 1 and {MAX_TOP_K}", request.top_k),
        ));
    }
    if !(1..=MAX_CANDIDATES).contains(&request.candidates) {
        return Err(Error::field_of(
            "candidates",
            format!(
                "{} is not between 1 and {MAX_CANDIDATES}",
                request.candidates
            ),
        ));
    }
    if request.context_window > MAX_CONTEXT_WINDOW {
        return Err(Error::field_of(
            "context_window",
            format!(
                "{} is not between 0 and {MAX_CONTEXT_WINDOW}",
                request.context_window
            ),
        ));
    }
    if !(0.0..=1.0).contains(&request.min_confidence) {
        return Err(Error::field_of(
            "min_confidence",
            format!("{} is not between 0 and 1", request.min_confidence),
        ));
    }
    if request.min_score.is_nan() {
        return Err(Error::field_of(
            "min_score",
            "NaN is no score; a number between 0 and 1 is accepted",
        ));
    }
    Ok(())
}

impl Retrieved<'_> {
    fn search(&self, request: &SearchRequest<'_>, scratch: &mut Scratch) -> Vec<Hit> {
        let count = request.candidates.max(CANDIDATES_FOR_A_HIT * request.top_k);
        let least = if self.words_decide(request) {
            request.top_k
        } else {
            count
        };
        self.find(least, request, scratch);
        let hits = self.rank(request, scratch);
        let is_short = hits.len() < request.top_k && least < count;
        if is_short && scratch.candidates.rows.len() >= least {
            // Versions of one memory have taken the places of others.
            self.find(count, request, scratch);
            return self.rank(request, scratch);
        }
        hits
    }

    /// Whether the words alone say which rows are found and in which order.
    fn words_decide(&self, request: &SearchRequest<'_>) -> bool {
        let counts = |signal: &usize| request.weights.counts(*signal);
        self.vector.is_none()
            && self.entity.is_none()
            && self.time.is_none()
            && !self.context
            && ![ACTOR, RECENCY].iter().any(counts)
    }

    /// Finds the candidates, the best `count` by each signal, and everything that is said of them.
    fn find(&self, count: usize, request: &SearchRequest<'_>, scratch: &mut Scratch) {
        let Scratch {
            candidates,
            columns,
            widening,
            ..
        } = scratch;
        self.unite(count, candidates);
        if candidates.rows.is_empty() {
            return;
        }
        self.signals(request, candidates, columns);
        if self.context {
            self.widen(request, candidates, columns, widening);
        }
    }

    /// What speaks for an answer after the ranking.
    fn support(&self, scratch: &Scratch) -> Option<Support> {
        let (_, lexical) = self.vector.as_ref().zip(self.lexical.as_ref())?;
        if scratch.candidates.rows.is_empty() {
            return Some(Support::default());
        }
        let worth = scratch.columns.largest(LEXICAL) / f64::from(lexical.most());
        Some(Support {
            cosine: scratch.columns.largest(VECTOR).max(-1.0),
            coverage: worth.clamp(0.0, 1.0),
        })
    }

    /// The order of scored candidates, the better first.
    pub(super) fn better(
        &self,
        rows: &[SourceRow],
        columns: &Columns,
    ) -> impl Fn(&(f64, usize), &(f64, usize)) -> Ordering {
        move |&(of_a, a), &(of_b, b)| {
            let by_score = of_b.total_cmp(&of_a);
            // Cosines that the normalisation takes for equal are still told apart.
            by_score
                .then_with(|| columns.raw(VECTOR, b).total_cmp(&columns.raw(VECTOR, a)))
                .then_with(|| self.sources.newer_first(rows[a], rows[b]))
        }
    }

    /// The best of the candidates.
    fn rank(&self, request: &SearchRequest<'_>, scratch: &mut Scratch) -> Vec<Hit> {
        if scratch.candidates.rows.is_empty() {
            return Vec::new();
        }
        let Scratch {
            candidates,
            columns,
            scores,
            order,
            seen,
            ..
        } = scratch;
        let rows = candidates.rows.as_slice();
        let fusion = columns.fuse(&request.weights, rows.len(), scores);
        let newer = |a: usize, b: usize| self.sources.newer_first(rows[a], rows[b]);
        let better = self.better(rows, columns);
        order.clear();
        let scored = scores.iter().copied().zip(0..rows.len());
        order.extend(scored.filter(|&(score, _)| score >= request.min_score));
        // Only as many are put in order as are asked for; the others only if versions of one memory take their places.
        let (mut sorted, mut wanted) = (0, request.top_k);
        seen.clear();
        let mut hits = Vec::with_capacity(wanted.min(order.len()));
        let (mut last_scope, mut groups) = (LastScope::default(), Groups::default());
        let ranks = request.explain.then(|| {
            let mut newest: Vec<usize> = (0..rows.len()).collect();
            newest.sort_unstable_by(|&a, &b| newer(a, b));
            columns.ranks(&newest)
        });
        while hits.len() < request.top_k && sorted < order.len() {
            let rest = &mut order[sorted..];
            if wanted < rest.len() {
                rest.select_nth_unstable_by(wanted, &better);
            }
            let count = wanted.min(rest.len());
            let best = &mut rest[..count];
            best.sort_unstable_by(&better);
            for &(_, candidate) in &*best {
                self.sources.prefetch_record(rows[candidate]);
            }
            for &(score, candidate) in &*best {
                if hits.len() < request.top_k {
                    let row = rows[candidate];
                    if !seen.insert(self.sources.memory_id(row)) {
                        // Another version of its memory is a hit already.
                        continue;
                    }
                    let mut hit = hit_of(self.sources, row, score, &mut last_scope);
                    let ranks = ranks.as_ref();
                    hit.parts = ranks.map(|ranks| columns.parts(&fusion, candidate, ranks));
                    if request.context_window > 0 {
                        let most = request.context_window;
                        add_neighbours(self.sources, self.selector, most, row, &mut hit);
                    }
                    match groups.join(self.sources.record(row), hits.len()) {
                        Some(leader) => join(&mut hits, leader, hit, request.separate),
                        None => hits.push(hit),
                    }
                }
            }
            sorted += best.len();
            wanted = order.len() - sorted;
        }
        hits
    }
}
