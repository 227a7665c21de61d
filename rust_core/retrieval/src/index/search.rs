//! A search: select, retrieve by each signal, score every candidate on every signal, fuse.

use std::collections::HashSet;
use std::sync::Arc;

use super::select::Selector;
use super::signals::{PostingSignal, VectorSignal};
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
        let candidates = retrieved.candidates(request.top_k);
        let hits = if candidates.is_empty() {
            Vec::new()
        } else {
            retrieved.rank(&candidates, request)
        };
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
        let keys = request.partitions.iter().filter(|key| seen.insert(*key));
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
    let tenants: HashSet<&str> = request
        .partitions
        .iter()
        .map(|key| key.tenant.as_str())
        .collect();
    if tenants.len() > 1 {
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
        let mut seen = HashSet::new();
        let terms = if request.weights.counts(LEXICAL) {
            terms(request.text)
        } else {
            Vec::new()
        };
        let terms: Vec<String> = terms
            .into_iter()
            .filter(|term| seen.insert(term.clone()))
            .collect();
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
            entity: entity.filter(|signal| signal.matched),
        }
    }

    /// The union of the best by each signal.
    fn candidates(&self, top_k: usize) -> Vec<SourceRow> {
        let count = LEAST_CANDIDATES.max(CANDIDATES_FOR_A_HIT * top_k);
        let vector = self
            .vector
            .iter()
            .flat_map(|signal| signal.best(self.sources, count));
        let postings = [&self.lexical, &self.entity]
            .into_iter()
            .flatten()
            .flat_map(|signal| signal.best(self.sources, count));
        let mut rows: Vec<SourceRow> = vector.chain(postings).map(|(_, row)| row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Every signal of every candidate.
    fn columns(&self, candidates: &[SourceRow], request: &SearchRequest<'_>) -> Columns {
        let mut columns = Columns::default();
        if let Some(signal) = &self.vector {
            let score = |&row| signal.score(self.sources, row).map_or(f64::NAN, f64::from);
            columns.set(VECTOR, candidates.iter().map(score).collect());
        }
        for (place, signal) in [(LEXICAL, &self.lexical), (ENTITY, &self.entity)] {
            if let Some(signal) = signal {
                let score = |&row| f64::from(signal.score(self.sources, row));
                columns.set(place, candidates.iter().map(score).collect());
            }
        }
        if request.weights.counts(RECENCY) {
            let now = request.as_of_micros.unwrap_or(request.now_micros);
            let score = |&row| {
                let (source, row) = self.sources.locate(row);
                let (segment, place) = source.view.locate(row);
                recency(segment.recency_time.as_slice()[place], now)
            };
            columns.set(RECENCY, candidates.iter().map(score).collect());
        }
        columns
    }

    fn rank(&self, candidates: &[SourceRow], request: &SearchRequest<'_>) -> Vec<Hit> {
        let fused = self
            .columns(candidates, request)
            .fuse(&request.weights, candidates.len());
        let newer = |a: usize, b: usize| self.sources.newer_first(candidates[a], candidates[b]);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_unstable_by(|&a, &b| {
            // Cosines that the normalisation takes for equal are still told apart.
            let by_score = fused.scores[b].total_cmp(&fused.scores[a]);
            by_score
                .then_with(|| fused.raw(VECTOR, b).total_cmp(&fused.raw(VECTOR, a)))
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
        for candidate in order {
            if hits.len() == request.top_k || fused.scores[candidate] < request.min_score {
                break;
            }
            let (source, row) = self.sources.locate(candidates[candidate]);
            let record = source.view.record(row);
            if seen.insert(record.memory_id()) {
                hits.push(Hit {
                    record: record.clone(),
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
