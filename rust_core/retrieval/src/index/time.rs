//! The time signal: an event agrees with the times that the query names, or answers a question for one.

use super::SearchRequest;
use super::sources::{SourceRow, Sources};
use crate::fusion::TIME;
use crate::time::{QueryTime, Reference};

/// What a memory that names a time is worth to a question that asks for one, beside an event at the very time that a
/// query names.
const ANSWERS_WHEN: f64 = 0.5;
/// How many records ahead of the one in hand are asked for.
const RECORDS_AHEAD: usize = 8;

/// The times of a query if they count, and there are any.
pub(super) fn time_of(request: &SearchRequest<'_>) -> Option<QueryTime> {
    let counts = request.weights.counts(TIME) && !request.text.is_empty();
    let reference = Reference::utc(request.reference_micros.unwrap_or(request.now_micros));
    let time = counts.then(|| QueryTime::new(request.text, &reference));
    time.filter(|time| time.names_a_time() || time.asks_when())
}

/// How well each row fits the times of a query.
///
/// It is [`QueryTime::score`] of the row's event time (of the time when it was heard where no
/// event time is known). To a query that asks when something happened, [`ANSWERS_WHEN`] of what is missing to 1 is added
/// for a row whose text names a time.
pub(super) fn agreement(sources: &Sources, rows: &[SourceRow], query: &QueryTime) -> Vec<f64> {
    let mut ahead = rows.iter();
    let next = ahead.by_ref().take(RECORDS_AHEAD);
    next.for_each(|&row| sources.prefetch_record(row));
    let mut scores = Vec::with_capacity(rows.len());
    for &row in rows {
        if let Some(&row) = ahead.next() {
            sources.prefetch_record(row);
        }
        let (segment, place) = sources.place(row);
        let record = segment.record(place);
        let agreement = match record.event_time_micros() {
            Some(time) => query.score(
                time,
                record.event_time_end_micros(),
                record.event_time_precision(),
            ),
            None => query.score(record.create_time_micros(), None, 0),
        };
        let answers = query.asks_when() && record.names_a_time();
        scores.push(if answers {
            agreement + ANSWERS_WHEN * (1.0 - agreement)
        } else {
            agreement
        });
    }
    scores
}
