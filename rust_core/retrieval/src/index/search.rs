//! A search: select, retrieve by each signal, score every candidate on every signal, fuse.

use std::collections::HashSet;
use std::sync::Arc;

use super::nearest::VectorSignal;
use super::postings::PostingSignal;
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use super::{Hit, Index, MAX_TOP_K, SearchOutcome, SearchRequest};
use crate::Error;
use crate::fusion::{Columns, ENTITY, LEXICAL, RECENCY, SIGNALS, VECTOR, recency};
use crate::text::{Bm25, terms};
use crate::vector::{Query, decode_f32_le, normalize, padded};

/// Each retriever gives at least so many candidates, and this many for each hit asked for.
const LEAST_CANDIDATES: usize = 50;
const CANDIDATES_FOR_A_HIT: usize = 4;

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
        check(request)?;
        let vector = self.vector_signal(request)?;
        let sources = self.sources(request)?;
        let considered = sources.selected();
        let retrieved = Retrieved::new(&sources, request, vector);
        let count = LEAST_CANDIDATES.max(CANDIDATES_FOR_A_HIT * request.top_k);
        let least = if retrieved.words_decide(request) {
            request.top_k
        } else {
            count
        };
        let mut candidates = retrieved.candidates(least);
        let mut hits = retrieved.rank(&candidates, request);
        let is_short = hits.len() < request.top_k && least < count;
        if is_short && candidates.rows.len() >= least {
            // Versions of one memory have taken the places of others.
            candidates = retrieved.candidates(count);
            hits = retrieved.rank(&candidates, request);
        }
        sources
            .iter()
            .try_for_each(|source| source.view.check_damage())?;
        Ok(SearchOutcome { hits, considered })
    }

    fn vector_signal(&self, request: &SearchRequest<'_>) -> Result<Option<VectorSignal>, Error> {
        let Some(bytes) = request.vector else {
            return Ok(None);
        };
        let mut unit = vec![0.0; padded(self.dimension())];
        decode_f32_le(bytes, self.dimension())
            .and_then(|vector| normalize(&vector, &mut unit))
            .map_err(|source| Error::vector("vector", source))?;
        let signal = VectorSignal {
            query: Query::new(&unit),
            path: self.simd_path(),
            dimension: self.dimension(),
        };
        Ok(request.weights.counts(VECTOR).then_some(signal))
    }

    fn sources(&self, request: &SearchRequest<'_>) -> Result<Sources, Error> {
        let selector = Selector::new(request);
        let mut seen = HashSet::new();
        let is_one = request.partitions.len() == 1;
        let keys = request
            .partitions
            .iter()
            .filter(|key| is_one || seen.insert(*key));
        let views = keys
            .filter_map(|key| self.partition(key))
            .map(|partition| partition.view());
        Sources::new(
            views
                .map(|view| (Arc::clone(&view), selector.select(&view)))
                .collect(),
        )
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
    if request.min_score.is_nan() {
        return Err(Error::field_of(
            "min_score",
            "NaN is no score; a number between 0 and 1 is accepted",
        ));
    }
    Ok(())
}

/// The rows that a search ranks.
struct Candidates {
    /// Ascending.
    rows: Vec<SourceRow>,
    /// The cosines that are known already, in ascending order of their rows.
    cosines: Vec<(SourceRow, f32)>,
    /// What words say of each; empty if they take no part.
    lexical: Vec<f64>,
    /// Whether a selected row has one of the names, be it worth nothing.
    names_match: bool,
}

/// The signals that take part in a search.
struct Retrieved<'a> {
    sources: &'a Sources,
    vector: Option<VectorSignal>,
    lexical: Option<PostingSignal>,
    entity: Option<PostingSignal>,
}

impl<'a> Retrieved<'a> {
    fn new(
        sources: &'a Sources,
        request: &SearchRequest<'_>,
        vector: Option<VectorSignal>,
    ) -> Self {
        let mut terms = if request.weights.counts(LEXICAL) {
            terms(request.text)
        } else {
            Vec::new()
        };
        terms.sort_unstable();
        terms.dedup();
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        let lexical =
            (!terms.is_empty()).then(|| PostingSignal::lexical(sources, &terms, Bm25::default()));
        let entity = request
            .weights
            .counts(ENTITY)
            .then(|| PostingSignal::entity(sources, request.text));
        Self {
            sources,
            vector,
            lexical,
            entity,
        }
    }

    /// Whether the words alone say which rows are found and in which order.
    fn words_decide(&self, request: &SearchRequest<'_>) -> bool {
        self.vector.is_none() && self.entity.is_none() && !request.weights.counts(RECENCY)
    }

    /// The union of the best `count` by each signal.
    fn candidates(&self, count: usize) -> Candidates {
        let vector = self.vector.iter();
        let mut cosines: Vec<(SourceRow, f32)> = vector
            .flat_map(|signal| signal.best(self.sources, count))
            .map(|(cosine, row)| (row, cosine))
            .collect();
        cosines.sort_unstable_by_key(|&(row, _)| row);
        let mut rows: Vec<SourceRow> = cosines.iter().map(|&(row, _)| row).collect();
        let mut names_match = false;
        if let Some(entity) = &self.entity {
            let found = entity.scan(self.sources, &[], count).best;
            names_match = !found.is_empty() || entity.has_worthless(self.sources);
            rows.extend(found.into_iter().map(|(_, row)| row));
            rows.sort_unstable();
            rows.dedup();
        }
        let Some(lexical) = &self.lexical else {
            return Candidates {
                rows,
                cosines,
                lexical: Vec::new(),
                names_match,
            };
        };
        let found = lexical.scan(self.sources, &rows, count);
        let mut scored: Vec<(SourceRow, f32)> = rows.into_iter().zip(found.scores).collect();
        scored.extend(found.best.into_iter().map(|(score, row)| (row, score)));
        scored.sort_unstable_by_key(|&(row, _)| row);
        scored.dedup_by_key(|&mut (row, _)| row);
        Candidates {
            rows: scored.iter().map(|&(row, _)| row).collect(),
            cosines,
            lexical: scored.iter().map(|&(_, score)| f64::from(score)).collect(),
            names_match,
        }
    }

    /// Every signal of every candidate.
    fn columns(&self, candidates: &Candidates, request: &SearchRequest<'_>) -> Columns {
        let rows = &candidates.rows;
        let mut columns = Columns::default();
        if let Some(signal) = &self.vector {
            let known = &candidates.cosines;
            let score = |&row: &SourceRow| {
                let cosine = match known.binary_search_by_key(&row, |&(row, _)| row) {
                    Ok(place) => Some(known[place].1),
                    Err(_) => signal.score(self.sources, row),
                };
                cosine.map_or(f64::NAN, f64::from)
            };
            columns.set(VECTOR, rows.iter().map(score).collect());
        }
        if self.lexical.is_some() {
            columns.set(LEXICAL, candidates.lexical.clone());
        }
        if let Some(signal) = self.entity.as_ref().filter(|_| candidates.names_match) {
            let scores = signal.scan(self.sources, rows, 0).scores;
            columns.set(ENTITY, scores.into_iter().map(f64::from).collect());
        }
        if request.weights.counts(RECENCY) {
            let now = request.as_of_micros.unwrap_or(request.now_micros);
            let score = |&row| recency(self.sources.recency_time(row), now);
            columns.set(RECENCY, rows.iter().map(score).collect());
        }
        columns
    }

    fn rank(&self, candidates: &Candidates, request: &SearchRequest<'_>) -> Vec<Hit> {
        if candidates.rows.is_empty() {
            return Vec::new();
        }
        let columns = self.columns(candidates, request);
        let candidates = candidates.rows.as_slice();
        let fused = columns.fuse(&request.weights, candidates.len());
        let newer = |a: usize, b: usize| self.sources.newer_first(candidates[a], candidates[b]);
        let time_of = |place: usize| self.sources.recency_time(candidates[place]);
        let scores = fused.scores.iter().copied().enumerate();
        let mut order: Vec<(f64, i64, usize)> = scores
            .map(|(place, score)| (score, time_of(place), place))
            .collect();
        order.sort_unstable_by(|&(score_of_a, time_of_a, a), &(score_of_b, time_of_b, b)| {
            // Cosines that the normalisation takes for equal are still told apart.
            let by_score = score_of_b.total_cmp(&score_of_a);
            by_score
                .then_with(|| fused.raw(VECTOR, b).total_cmp(&fused.raw(VECTOR, a)))
                .then_with(|| time_of_b.cmp(&time_of_a))
                .then_with(|| newer(a, b))
        });
        let ranks = if request.explain {
            let mut newest: Vec<usize> = (0..candidates.len()).collect();
            newest.sort_unstable_by(|&a, &b| newer(a, b));
            fused.ranks(&newest)
        } else {
            [const { None }; SIGNALS]
        };
        let mut seen = HashSet::new();
        let mut hits = Vec::with_capacity(request.top_k.min(candidates.len()));
        for (_, _, candidate) in order {
            if hits.len() == request.top_k || fused.scores[candidate] < request.min_score {
                break;
            }
            let (source, row) = self.sources.locate(candidates[candidate]);
            let record = source.view.record(row);
            if seen.insert(record.memory_id()) {
                hits.push(Hit {
                    record: source.view.kept_record(row),
                    scope: source.view.scope(row),
                    valid_to_micros: source.view.end(row),
                    score: fused.scores[candidate],
                    parts: request.explain.then(|| fused.parts(candidate, &ranks)),
                });
            }
        }
        hits
    }
}
