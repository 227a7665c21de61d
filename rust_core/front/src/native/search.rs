//! Searches from request to response.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mnemic_access::Principal;
use mnemic_retrieval::SearchOutcome;
use prost::Message;

use super::checks::owners;
use super::hits::{Timings, write_response, write_timings};
use super::request::{QueryVector, Search};
use super::vectors::embed;
use super::wire::Writer;
use super::{Shared, framed, started};
use crate::answers::{Answer, Answered, Framed};
use crate::contract::{BatchSearchMemoriesRequest, SearchMemoriesRequest};

/// A search of so many rows takes longer than a thread of the listener may be held. One looked at by a filter counts as
/// several.
const MOST_ROWS_AT_ONCE: usize = 32_768;
const ROWS_OF_A_FILTERED_ONE: usize = 8;
/// With so many searches a call is long whatever they are.
const MOST_SEARCHES_AT_ONCE: usize = 4;

/// The searches of one call.
pub(super) struct Searches {
    all: Vec<Search>,
    is_batch: bool,
    embedding: Vec<Duration>,
    prepared: Duration,
}

impl Searches {
    /// Those of `SearchMemories`.
    pub(super) fn single(shared: &Shared, principal: &Principal, request: Bytes) -> Option<Self> {
        let begin = Instant::now();
        let message = SearchMemoriesRequest::decode(request).ok()?;
        Self::prepare(shared, principal, vec![message], false, begin)
    }

    /// Those of `BatchSearchMemories`.
    pub(super) fn batch(shared: &Shared, principal: &Principal, request: Bytes) -> Option<Self> {
        let begin = Instant::now();
        let searches = BatchSearchMemoriesRequest::decode(request).ok()?.searches;
        let may_be = 1..=shared.settings.searches_per_batch;
        may_be.contains(&searches.len()).then_some(())?;
        Self::prepare(shared, principal, searches, true, begin)
    }

    fn prepare(
        shared: &Shared,
        principal: &Principal,
        messages: Vec<SearchMemoriesRequest>,
        is_batch: bool,
        begin: Instant,
    ) -> Option<Self> {
        let dimension = shared.index.dimension();
        let search = |message| {
            let mut search = Search::of(message, principal, &shared.settings, dimension)?;
            shared.look_up(&mut search)?;
            (search.min_revision <= shared.index.revision()).then_some(search)
        };
        let all: Vec<Search> = messages.into_iter().map(search).collect::<Option<_>>()?;
        Some(Self {
            embedding: vec![Duration::ZERO; all.len()],
            all,
            is_batch,
            prepared: begin.elapsed(),
        })
    }

    /// The answer, at once if it costs little.
    pub(super) fn answer(self, shared: &Arc<Shared>, deadline: Option<Instant>) -> Answer {
        let Some(is_short) = self.is_short(shared) else {
            return Answer::Now(None);
        };
        let is_ready = self.all.iter().all(Search::is_ready);
        if is_short && is_ready {
            return Answer::Now(self.run(shared).map(Ok));
        }
        let shared = Arc::clone(shared);
        Answer::Later(Box::pin(self.run_later(shared, is_short, deadline)))
    }

    /// Whether a thread of the listener may run them; None if a partition is not in memory.
    fn is_short(&self, shared: &Shared) -> Option<bool> {
        let mut rows = 0;
        for search in &self.all {
            let residents = shared.index.residents(&search.partitions)?;
            let factor = if search.is_filtered(&residents) {
                ROWS_OF_A_FILTERED_ONE
            } else {
                1
            };
            rows += residents.rows() * factor;
        }
        Some(rows <= MOST_ROWS_AT_ONCE && self.all.len() <= MOST_SEARCHES_AT_ONCE)
    }

    async fn run_later(
        mut self,
        shared: Arc<Shared>,
        is_short: bool,
        deadline: Option<Instant>,
    ) -> Answered {
        for (search, spent) in self.all.iter_mut().zip(&mut self.embedding) {
            if matches!(search.vector, QueryVector::Wanted) {
                let begin = Instant::now();
                let embedder = shared.embedder.as_ref()?;
                match embed(embedder, search.text_to_embed(), deadline).await {
                    Ok(vector) => search.vector = QueryVector::Known(vector?),
                    // A batch names the search at fault.
                    Err(_) if self.is_batch => return None,
                    Err(refusal) => return Some(Err(refusal)),
                }
                *spent = begin.elapsed();
            }
        }
        if is_short {
            return self.run(&shared).map(Ok);
        }
        let run = tokio::task::spawn_blocking(move || self.run(&shared));
        run.await.ok()?.map(Ok)
    }

    /// None if a partition left memory meanwhile or turned out to be damaged.
    fn run(&self, shared: &Shared) -> Option<Framed> {
        let mut out = Writer::new(started());
        for (search, &embedding) in self.all.iter().zip(&self.embedding) {
            if self.is_batch {
                let mut done = Some(());
                out.message(1, |out| {
                    done = self.run_one(shared, search, embedding, out);
                });
                done?;
            } else {
                self.run_one(shared, search, embedding, &mut out)?;
            }
        }
        Some(framed(out))
    }

    fn run_one(
        &self,
        shared: &Shared,
        search: &Search,
        embedding: Duration,
        out: &mut Writer,
    ) -> Option<()> {
        let begin = Instant::now();
        // Read before the partitions: what it reports is then a lower bound of what the hits reflect.
        let revision = shared.index.revision();
        let residents = shared.index.residents(&search.partitions)?;
        let request = search.request(&residents, now_micros());
        let outcome = shared.index.search_residents(&request, residents).ok()?;
        shared.note(search, &outcome);
        shared.index.recalls().note_outcome(&outcome);
        write_response(out, &outcome, search.parts, revision);
        let (prepared, searched) = (self.prepared, begin.elapsed());
        shared.stages.prepare.count(prepared);
        // A vector that was given or known took none: it would only hide how long a model takes.
        if !embedding.is_zero() {
            shared.stages.embed.count(embedding);
        }
        shared.stages.search.count(searched);
        write_timings(
            out,
            Timings {
                prepare: micros(prepared),
                embed: micros(embedding),
                search: micros(searched),
                total: micros(prepared + embedding + searched),
            },
        );
        Some(())
    }
}

impl Search {
    fn is_ready(&self) -> bool {
        !matches!(self.vector, QueryVector::Wanted)
    }

    fn text_to_embed(&self) -> &str {
        self.understood
            .as_ref()
            .map_or(&self.text, |understood| &understood.text)
    }
}

impl Shared {
    /// Takes the vector of a known text. None if its vector is wanted and nobody here can make it, or if a partition whose
    /// names decide what is embedded is not in memory.
    fn look_up(&self, search: &mut Search) -> Option<()> {
        if search.is_ready() {
            return Some(());
        }
        let embedder = self.embedder.as_ref()?;
        let residents = self.index.residents(&search.partitions)?;
        search.understood = Some(residents.understand(&search.text).into_owned());
        if let Some(vector) = embedder.cached(search.text_to_embed()) {
            search.vector = QueryVector::Known(vector);
            return Some(());
        }
        embedder.runs_model().then_some(())
    }

    /// Remembers where the memories that were found are.
    fn note(&self, search: &Search, outcome: &SearchOutcome) {
        let mut keys: Vec<Option<Arc<_>>> = vec![None; search.partitions.len()];
        for hit in &outcome.hits {
            let place = match &*search.partitions {
                [_] => Some(0),
                partitions => owners(&hit.scope).next().and_then(|(kind, id)| {
                    partitions
                        .iter()
                        .position(|key| key.owner_kind == kind && key.owner_id == id)
                }),
            };
            if let Some(place) = place {
                let key =
                    keys[place].get_or_insert_with(|| Arc::new(search.partitions[place].clone()));
                self.directory.note(hit.record.memory_id(), key);
            }
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn now_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}
