//! The best candidates, those that stand next to them, and the context of all of them.

use super::SearchRequest;
use super::candidates::{Candidates, Retrieved};
use super::context::{Context, Widened};
use super::sources::SourceRow;
use crate::fusion::{Columns, ContextWords, Exchange, VECTOR};

/// Of so many that a retriever gives at least so many candidates, the best by themselves, get a context, and this many for
/// each hit asked for. They bring the messages next to them.
const CANDIDATES: usize = 5;
const IN_CONTEXT: usize = 3;
const IN_CONTEXT_FOR_A_HIT: usize = 3;

/// What giving candidates a context writes to. Its memory lives from search to search.
#[derive(Default)]
pub(super) struct Widening {
    context: Context,
    scores: Vec<f64>,
    /// Scores with the places of their candidates.
    order: Vec<(f64, usize)>,
    widened: Vec<Widened>,
    /// The candidates that were none before, and what their own words are worth.
    fresh: Vec<SourceRow>,
    lexical: Vec<f64>,
    words: Vec<f64>,
    own_words: Vec<f64>,
    meanings: Vec<f64>,
    exchanges: Vec<Exchange>,
}

impl Retrieved<'_> {
    /// Keeps the best candidates, adds the messages next to them whose windows have one, and gives all of them their signals
    /// and their context.
    pub(super) fn widen(
        &self,
        request: &SearchRequest<'_>,
        candidates: &mut Candidates,
        columns: &mut Columns,
        widening: &mut Widening,
    ) {
        self.choose(request, candidates, columns, widening);
        let Widening {
            context,
            widened,
            fresh,
            lexical,
            words,
            own_words,
            meanings,
            exchanges,
            ..
        } = widening;
        context.widen(self.sources, self.selector, widened);
        let new = widened.iter().filter(|candidate| candidate.place.is_none());
        fresh.clear();
        fresh.extend(new.map(|candidate| candidate.row));
        lexical.clear();
        if let Some(signal) = &self.lexical {
            context.words(signal, self.sources, words, own_words);
            if signal.has_phrases() {
                lexical.extend(self.scores(signal, fresh));
            } else {
                let new = widened.iter().zip(0..);
                let new = new.filter(|(candidate, _)| candidate.place.is_none());
                let own = new.map(|(_, place)| context.own_words(signal, self.sources, place));
                lexical.extend(own.map(f64::from));
            }
        }
        self.signals_of_fresh(request, candidates, columns, fresh, lexical, widened);
        if let Some(signal) = &self.vector {
            let own = columns.column(VECTOR).unwrap_or_default();
            context.meanings(signal, self.sources, own, meanings);
        }
        let has_exchange = self.vector.is_some() && context.exchanges(self.sources, exchanges);
        columns.set_context(
            self.lexical.is_some().then_some(ContextWords {
                window: words,
                own: own_words,
            }),
            self.vector.is_some().then_some(meanings.as_slice()),
            has_exchange.then_some(exchanges.as_slice()),
        );
        candidates.rows.clear();
        let rows = widened.iter().map(|candidate| candidate.row);
        candidates.rows.extend(rows);
    }

    /// Finds the best candidates by their own signals, ascending.
    fn choose(
        &self,
        request: &SearchRequest<'_>,
        candidates: &Candidates,
        columns: &Columns,
        widening: &mut Widening,
    ) {
        let Widening {
            scores,
            order,
            widened,
            ..
        } = widening;
        let rows = candidates.rows.as_slice();
        columns.fuse(&request.weights, rows.len(), scores);
        order.clear();
        order.extend(scores.iter().copied().zip(0..));
        let in_context = request.candidates * IN_CONTEXT / CANDIDATES;
        let kept = in_context.max(IN_CONTEXT_FOR_A_HIT * request.top_k);
        if kept < order.len() {
            order.select_nth_unstable_by(kept, self.better(rows, columns));
            order.truncate(kept);
        }
        widened.clear();
        widened.extend(order.iter().map(|&(_, place)| Widened {
            row: rows[place],
            place: Some(place),
        }));
        widened.sort_unstable();
    }
}
