//! The candidates of a search, and what each signal says of them by themselves.

use super::SearchRequest;
use super::actor::NamedSpeaker;
use super::context::Widened;
use super::nearest::VectorSignal;
use super::postings::PostingSignal;
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use super::time::{agreement, time_of};
use super::understanding::query_terms;
use crate::fusion::{ACTOR, CONTEXT, Columns, ENTITY, LEXICAL, RECENCY, TIME, VECTOR, recency};
use crate::text::Bm25;
use crate::time::QueryTime;

/// How many rows ahead of the one in hand are asked for.
const ROWS_AHEAD: usize = 4;

/// The rows that a search ranks.
#[derive(Default)]
pub(super) struct Candidates {
    /// In ascending order, unless the vector alone has found them.
    pub(super) rows: Vec<SourceRow>,
    /// The cosines that are known already, in the order of their rows.
    cosines: Vec<(f32, SourceRow)>,
    /// What words say of each row; empty if they take no part.
    lexical: Vec<f64>,
    /// Whether a selected row has one of the names, be it worth nothing.
    names_match: bool,
    /// The speaker whom the query names.
    speaker: Option<NamedSpeaker>,
}

/// The signals that take part in a search.
pub(super) struct Retrieved<'a> {
    pub(super) sources: &'a Sources,
    pub(super) selector: &'a Selector<'a>,
    /// Whether the context counts.
    pub(super) context: bool,
    pub(super) vector: Option<VectorSignal>,
    pub(super) lexical: Option<PostingSignal>,
    pub(super) entity: Option<PostingSignal>,
    /// The times of the query, if it names or asks for one.
    pub(super) time: Option<QueryTime>,
}

impl<'a> Retrieved<'a> {
    pub(super) fn new(
        sources: &'a Sources,
        selector: &'a Selector<'a>,
        request: &SearchRequest<'_>,
        vector: Option<VectorSignal>,
    ) -> Self {
        let counts = |signal| request.weights.counts(signal) && !request.text.is_empty();
        let terms = counts(LEXICAL).then(|| query_terms(sources, request));
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

    /// The union of the best `count` by each signal.
    pub(super) fn unite(&self, count: usize, candidates: &mut Candidates) {
        let Candidates {
            rows,
            cosines,
            lexical,
            names_match,
            ..
        } = candidates;
        rows.clear();
        cosines.clear();
        lexical.clear();
        *names_match = false;
        if let Some(signal) = &self.vector {
            signal.best(self.sources, count, cosines);
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
            let mut scored: Vec<(SourceRow, f32)> = rows.drain(..).zip(found.scores).collect();
            scored.extend(found.best.into_iter().map(|(score, row)| (row, score)));
            scored.sort_unstable_by_key(|&(row, _)| row);
            scored.dedup_by_key(|&mut (row, _)| row);
            rows.extend(scored.iter().map(|&(row, _)| row));
            lexical.extend(scored.iter().map(|&(_, score)| f64::from(score)));
        }
    }

    /// Every signal of every candidate but the context.
    pub(super) fn signals(
        &self,
        request: &SearchRequest<'_>,
        candidates: &mut Candidates,
        columns: &mut Columns,
    ) {
        columns.clear();
        let rows = &candidates.rows;
        if let Some(signal) = &self.vector {
            columns.set(VECTOR, self.cosines(signal, rows, &candidates.cosines));
        }
        if self.lexical.is_some() {
            columns.set(LEXICAL, candidates.lexical.iter().copied());
        }
        if let Some(signal) = self.entity.as_ref().filter(|_| candidates.names_match) {
            columns.set(ENTITY, self.scores(signal, rows));
        }
        if let Some(time) = &self.time {
            columns.set(TIME, agreement(self.sources, rows, time));
        }
        candidates.speaker = None;
        if request.weights.counts(ACTOR)
            && let Some((speaker, spoken)) = NamedSpeaker::of(self.sources, rows, request.text)
        {
            candidates.speaker = Some(speaker);
            columns.set(ACTOR, spoken.into_iter().map(one_if));
        }
        if request.weights.counts(RECENCY) {
            columns.set(RECENCY, self.recencies(request, rows));
        }
    }

    /// The signals of the candidates that came with the context: `columns` has those of the former candidates, and
    /// `widened` says where each of the new ones, `fresh`, stands among them. What the own words of the fresh ones are worth
    /// is known.
    pub(super) fn signals_of_fresh(
        &self,
        request: &SearchRequest<'_>,
        candidates: &Candidates,
        columns: &mut Columns,
        fresh: &[SourceRow],
        lexical: &[f64],
        widened: &[Widened],
    ) {
        let places = || widened.iter().map(|candidate| candidate.place);
        if let Some(signal) = &self.vector {
            columns.rearrange(VECTOR, places(), self.cosines(signal, fresh, &[]));
        }
        if self.lexical.is_some() {
            columns.rearrange(LEXICAL, places(), lexical.iter().copied());
        }
        if let Some(signal) = self.entity.as_ref().filter(|_| candidates.names_match) {
            columns.rearrange(ENTITY, places(), self.scores(signal, fresh));
        }
        if let Some(time) = &self.time {
            columns.rearrange(TIME, places(), agreement(self.sources, fresh, time));
        }
        if let Some(speaker) = &candidates.speaker {
            let spoken = speaker.has_spoken(self.sources, fresh);
            columns.rearrange(ACTOR, places(), spoken.into_iter().map(one_if));
        }
        if request.weights.counts(RECENCY) {
            columns.rearrange(RECENCY, places(), self.recencies(request, fresh));
        }
    }

    pub(super) fn scores(
        &self,
        signal: &PostingSignal,
        rows: &[SourceRow],
    ) -> impl Iterator<Item = f64> {
        let scores = signal.scan(self.sources, rows, 0).scores;
        scores.into_iter().map(f64::from)
    }

    fn recencies(
        &self,
        request: &SearchRequest<'_>,
        rows: &[SourceRow],
    ) -> impl Iterator<Item = f64> {
        let now = request.as_of_micros.unwrap_or(request.now_micros);
        rows.iter()
            .map(move |&row| recency(self.sources.recency_time(row), now))
    }

    /// The cosines of rows, some of which are known in the same order; NaN where there is no vector.
    fn cosines(
        &self,
        signal: &VectorSignal,
        rows: &[SourceRow],
        known: &[(f32, SourceRow)],
    ) -> impl Iterator<Item = f64> {
        let mut rest = known;
        let is_known = move |row| known.binary_search_by_key(&row, |&(_, row)| row).is_ok();
        // If all are known, they need not be ascending.
        let unknown = if known.len() < rows.len() { rows } else { &[] };
        let mut ahead = unknown.iter().filter(move |&&row| !is_known(row));
        let mut prefetch = move |count| {
            let next = ahead.by_ref().take(count);
            next.for_each(|&row| signal.prefetch(self.sources, row));
        };
        prefetch(ROWS_AHEAD);
        rows.iter().map(move |&row| {
            let cosine = match rest.split_first() {
                Some((&(cosine, first), later)) if first == row => {
                    rest = later;
                    Some(cosine)
                }
                _ => {
                    prefetch(1);
                    signal.score(self.sources, row)
                }
            };
            cosine.map_or(f64::NAN, f64::from)
        })
    }
}

fn one_if(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
