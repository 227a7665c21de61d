//! A search: select, retrieve by each signal, score every candidate on every signal, fuse.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::actor::spoken_by_named;
use super::choose::Groups;
use super::context::Context;
use super::hits::{LastScope, add_neighbours, hit_of, join};
use super::nearest::VectorSignal;
use super::postings::PostingSignal;
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use super::time::{agreement, time_of};
use super::understanding::query_terms;
use super::{
    Hit, Index, MAX_CANDIDATES, MAX_CONTEXT_WINDOW, MAX_TOP_K, SearchOutcome, SearchRequest,
    Support,
};
use crate::Error;
use crate::fusion::{ACTOR, CONTEXT, Columns, ENTITY, LEXICAL, RECENCY, TIME, VECTOR, recency};
use crate::partition::view::View;
use crate::text::Bm25;
use crate::time::QueryTime;
use crate::vector::{Query, decode_f32_le_into, normalize};

/// Each retriever gives at least so many candidates for each hit asked for.
const CANDIDATES_FOR_A_HIT: usize = 4;
/// Of so many candidates of a retriever so many, the best, bring the rows whose context has them.
const CANDIDATES: usize = 5;
const SEEDS: usize = 3;
/// How many rows ahead of the one in hand are asked for.
const ROWS_AHEAD: usize = 4;

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
    context: Context,
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

/// The rows that a search ranks.
#[derive(Default)]
struct Candidates {
    /// In ascending order, unless the vector alone has found them.
    rows: Vec<SourceRow>,
    /// The cosines that are known already, in the order of their rows.
    cosines: Vec<(f32, SourceRow)>,
    /// The best by vector and by words, in no order, if the context counts.
    seeds: Vec<SourceRow>,
    scored: Vec<(f32, SourceRow)>,
    /// What words say of each row; empty if they take no part.
    lexical: Vec<f64>,
    /// Whether a selected row has one of the names, be it worth nothing.
    names_match: bool,
}

/// The signals that take part in a search.
struct Retrieved<'a> {
    sources: &'a Sources,
    selector: &'a Selector<'a>,
    /// Whether the context counts.
    context: bool,
    vector: Option<VectorSignal>,
    lexical: Option<PostingSignal>,
    entity: Option<PostingSignal>,
    /// The times of the query, if it names or asks for one.
    time: Option<QueryTime>,
}

impl<'a> Retrieved<'a> {
    fn new(
        sources: &'a Sources,
        selector: &'a Selector<'a>,
        request: &SearchRequest<'_>,
        vector: Option<VectorSignal>,
    ) -> Self {
        let counts = |signal| request.weights.counts(signal) && !request.text.is_empty();
        let terms = counts(LEXICAL).then(|| query_terms(sources, request.text));
        let terms = terms.filter(|terms| !terms.is_empty());
        let lexical = terms.map(|terms| PostingSignal::lexical(sources, &terms, Bm25::default()));
        let entity = counts(ENTITY).then(|| PostingSignal::entity(sources, request.text));
        // Without words and meaning there is nothing to compare the context with.
        let has_context =
            request.weights.counts(CONTEXT) && (vector.is_some() || lexical.is_some());
        Self {
            sources,
            selector,
            context: has_context,
            vector,
            lexical,
            entity,
            time: time_of(request),
        }
    }

    fn search(&self, request: &SearchRequest<'_>, scratch: &mut Scratch) -> Vec<Hit> {
        let count = request.candidates.max(CANDIDATES_FOR_A_HIT * request.top_k);
        let least = if self.words_decide(request) {
            request.top_k
        } else {
            count
        };
        self.find(least, scratch);
        let hits = self.rank(request, scratch);
        let is_short = hits.len() < request.top_k && least < count;
        if is_short && scratch.candidates.rows.len() >= least {
            // Versions of one memory have taken the places of others.
            self.find(count, scratch);
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

    /// The union of the best `count` by each signal, and the rows whose context has one of them.
    fn find(&self, count: usize, scratch: &mut Scratch) {
        let Scratch {
            candidates,
            context,
            ..
        } = scratch;
        self.unite(count, candidates);
        if !self.context {
            return;
        }
        let Candidates {
            rows,
            lexical,
            seeds,
            ..
        } = candidates;
        context.widen(self.sources, self.selector, rows, seeds);
        if let Some(signal) = &self.lexical {
            lexical.clear();
            if signal.has_phrases() {
                let scores = signal.scan(self.sources, rows, 0).scores;
                lexical.extend(scores.into_iter().map(f64::from));
                context.words(signal, self.sources, None);
            } else {
                context.words(signal, self.sources, Some(lexical));
            }
        }
    }

    /// Adds the best of some scored rows to the seeds.
    fn seed(&self, scored: &mut Vec<(f32, SourceRow)>, count: usize, seeds: &mut Vec<SourceRow>) {
        self.sources.cut(scored, count);
        seeds.extend(scored.iter().map(|&(_, row)| row));
    }

    fn unite(&self, count: usize, candidates: &mut Candidates) {
        let Candidates {
            rows,
            cosines,
            lexical,
            names_match,
            seeds,
            scored,
        } = candidates;
        let most_seeds = count * SEEDS / CANDIDATES;
        rows.clear();
        seeds.clear();
        cosines.clear();
        lexical.clear();
        *names_match = false;
        if let Some(signal) = &self.vector {
            signal.best(self.sources, count, cosines);
            if self.context {
                scored.clone_from(cosines);
                self.seed(scored, most_seeds, seeds);
            }
        }
        if self.lexical.is_some() || self.entity.is_some() || self.context {
            cosines.sort_unstable_by_key(|&(_, row)| row);
        }
        rows.extend(cosines.iter().map(|&(_, row)| row));
        if let Some(entity) = &self.entity {
            let found = entity.scan(self.sources, &[], count).best;
            *names_match = !found.is_empty() || entity.has_worthless(self.sources);
            rows.extend(found.into_iter().map(|(_, row)| row));
            rows.sort_unstable();
            rows.dedup();
        }
        if let Some(signal) = &self.lexical {
            let found = signal.scan(self.sources, rows, count);
            if self.context {
                scored.clone_from(&found.best);
                self.seed(scored, most_seeds, seeds);
            }
            let mut scored: Vec<(SourceRow, f32)> = rows.drain(..).zip(found.scores).collect();
            scored.extend(found.best.into_iter().map(|(score, row)| (row, score)));
            scored.sort_unstable_by_key(|&(row, _)| row);
            scored.dedup_by_key(|&mut (row, _)| row);
            rows.extend(scored.iter().map(|&(row, _)| row));
            lexical.extend(scored.iter().map(|&(_, score)| f64::from(score)));
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

    /// Every signal of every candidate.
    fn columns(&self, request: &SearchRequest<'_>, scratch: &mut Scratch) {
        let Scratch {
            candidates,
            context,
            columns,
            ..
        } = scratch;
        let rows = &candidates.rows;
        columns.clear();
        if self.context {
            self.set_context(candidates, context, columns);
        } else if let Some(signal) = &self.vector {
            self.cosines(signal, candidates, columns);
        }
        if self.lexical.is_some() {
            columns.set(LEXICAL, candidates.lexical.iter().copied());
        }
        if let Some(signal) = self.entity.as_ref().filter(|_| candidates.names_match) {
            let scores = signal.scan(self.sources, rows, 0).scores;
            columns.set(ENTITY, scores.into_iter().map(f64::from));
        }
        if let Some(time) = &self.time {
            columns.set(TIME, agreement(self.sources, rows, time));
        }
        if request.weights.counts(ACTOR) {
            let spoken = spoken_by_named(self.sources, rows, request.text);
            if let Some(spoken) = spoken {
                let score = |is_named: bool| if is_named { 1.0 } else { 0.0 };
                columns.set(ACTOR, spoken.into_iter().map(score));
            }
        }
        if request.weights.counts(RECENCY) {
            let now = request.as_of_micros.unwrap_or(request.now_micros);
            let score = |&row| recency(self.sources.recency_time(row), now);
            columns.set(RECENCY, rows.iter().map(score));
        }
    }

    /// The context of all candidates, and the cosines, which it is made of.
    fn set_context(&self, candidates: &Candidates, context: &mut Context, columns: &mut Columns) {
        let mut meaning = Vec::new();
        if let Some(signal) = &self.vector {
            context.measure(signal, self.sources, &candidates.cosines);
            columns.set(VECTOR, context.cosines());
            meaning.extend(context.meanings());
        }
        columns.set_context(
            self.lexical.is_some().then(|| context.scores()),
            self.vector.is_some().then_some(&meaning),
        );
    }

    /// The cosines of all candidates: those that are known come in the order of the rows, the others are computed.
    fn cosines(&self, signal: &VectorSignal, candidates: &Candidates, columns: &mut Columns) {
        let (rows, mut known) = (&candidates.rows, candidates.cosines.as_slice());
        let is_known = |row| known.binary_search_by_key(&row, |&(_, row)| row).is_ok();
        let unknown = if known.len() < rows.len() {
            rows.as_slice()
        } else {
            &[]
        };
        let mut ahead = unknown.iter().filter(move |&&row| !is_known(row));
        let mut prefetch = |count| {
            let next = ahead.by_ref().take(count);
            next.for_each(|&row| signal.prefetch(self.sources, row));
        };
        prefetch(ROWS_AHEAD);
        let score = |&row: &SourceRow| {
            let cosine = match known.split_first() {
                Some((&(cosine, first), rest)) if first == row => {
                    known = rest;
                    Some(cosine)
                }
                _ => {
                    prefetch(1);
                    signal.score(self.sources, row)
                }
            };
            cosine.map_or(f64::NAN, f64::from)
        };
        columns.set(VECTOR, rows.iter().map(score));
    }

    /// The best of the candidates.
    fn rank(&self, request: &SearchRequest<'_>, scratch: &mut Scratch) -> Vec<Hit> {
        if scratch.candidates.rows.is_empty() {
            return Vec::new();
        }
        self.columns(request, scratch);
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
        let better = |&(of_a, a): &(f64, usize), &(of_b, b): &(f64, usize)| {
            let by_score = of_b.total_cmp(&of_a);
            // Cosines that the normalisation takes for equal are still told apart.
            by_score
                .then_with(|| columns.raw(VECTOR, b).total_cmp(&columns.raw(VECTOR, a)))
                .then_with(|| newer(a, b))
        };
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
                rest.select_nth_unstable_by(wanted, better);
            }
            let count = wanted.min(rest.len());
            let best = &mut rest[..count];
            best.sort_unstable_by(better);
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
