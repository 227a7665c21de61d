//! Queries understood by what the searched partitions hold.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::sources::Sources;
use super::{Index, Residents};
use crate::partition::PartitionKey;
use crate::partition::base::layout::Lexicon;
use crate::partition::view::View;
use crate::text::QueryTerms;
use crate::understanding::{TermFrequency, Understanding, understand};

impl Index {
    /// The query as a search of partitions takes it: [`Understanding::text`] is what is to be embedded. Those that are not
    /// in memory count as empty.
    pub fn understand<'q>(&self, partitions: &[PartitionKey], query: &'q str) -> Understanding<'q> {
        let mut seen: HashSet<_, RandomState> = HashSet::default();
        let is_one = partitions.len() == 1;
        let distinct = partitions.iter().filter(|key| is_one || seen.insert(*key));
        let views: Vec<Arc<View>> = distinct.filter_map(|key| self.view(key)).collect();
        understand_in(|| views.iter(), query)
    }
}

impl Residents {
    /// As [`Index::understand`].
    pub fn understand<'q>(&self, query: &'q str) -> Understanding<'q> {
        understand_in(|| self.views(), query)
    }
}

/// The terms of a query that a search looks for.
pub(super) fn query_terms(sources: &Sources, query: &str) -> QueryTerms {
    let views = || sources.iter().map(|source| &source.view);
    QueryTerms::new(&understand_in(views, query).text)
}

/// A query in some states of distinct partitions. The statistics are those of BM25: of the rows without an end.
fn understand_in<'q, 'v, V: Iterator<Item = &'v Arc<View>>>(
    views: impl Fn() -> V,
    query: &'q str,
) -> Understanding<'q> {
    understand(query, |term| {
        let mut frequency = TermFrequency::default();
        for view in views() {
            frequency.rows += u64::from(view.counts.current);
            let lists = view.vocabulary(Lexicon::Terms).lists(&[term]);
            for list in lists.iter().flatten() {
                frequency.rows_with += u64::from(list.current_in(view));
            }
        }
        frequency
    })
}
