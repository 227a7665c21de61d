//! Queries understood by what the searched partitions hold.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::sources::Sources;
use super::{Index, Residents, SearchRequest};
use crate::entity::{normalize_name, with_linked_names, without_possessive};
use crate::partition::PartitionKey;
use crate::partition::base::layout::Lexicon;
use crate::partition::dictionary::Postings;
use crate::partition::segment::RowNumber;
use crate::partition::view::{View, has_row};
use crate::spelling::{Memories, corrected};
use crate::text::{QueryTerms, terms};
use crate::understanding::{TermFrequency, Understanding, understand};

/// Of so many of the rows that have a term is read how they write it.
const ROWS_READ: usize = 8;
/// Of so many terms that may be meant it is looked up how they are written.
const MOST_SPELLINGS: usize = 3;

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

/// The query of a search as the memories that it searches spell it.
pub(super) fn corrected_in<'a>(sources: &Sources, request: &SearchRequest<'a>) -> Cow<'a, str> {
    if let Some(understood) = request.understood {
        return Cow::Borrowed(&understood.query);
    }
    corrected(
        request.text,
        &Views(|| sources.iter().map(|source| &source.view)),
    )
}

/// The terms that a search looks for.
pub(super) fn query_terms(sources: &Sources, request: &SearchRequest<'_>) -> QueryTerms {
    if let Some(understood) = request.understood {
        return QueryTerms::new(&understood.text);
    }
    let query = request.text;
    let views = Views(|| sources.iter().map(|source| &source.view));
    QueryTerms::new(&understand(query, |term| views.frequency(term)).text)
}

/// A query in some states of distinct partitions.
fn understand_in<'q, 'v, V: Iterator<Item = &'v Arc<View>>>(
    views: impl Fn() -> V,
    query: &'q str,
) -> Understanding<'q> {
    let views = Views(views);
    match corrected(query, &views) {
        Cow::Borrowed(query) => understand(query, |term| views.frequency(term)),
        Cow::Owned(query) => understand(&query, |term| views.frequency(term)).into_owned(),
    }
}

/// Some states of distinct partitions.
struct Views<F>(F);

impl<'v, V: Iterator<Item = &'v Arc<View>>, F: Fn() -> V> Views<F> {
    /// The statistics are those of BM25: of the rows without an end.
    fn frequency(&self, term: &str) -> TermFrequency {
        let mut frequency = TermFrequency::default();
        for view in self.0() {
            frequency.rows += u64::from(view.counts.current);
            let lists = view.vocabulary(Lexicon::Terms).lists(&[term]);
            for list in lists.iter().flatten() {
                frequency.rows_with += u64::from(list.current_in(view));
            }
        }
        frequency
    }

    /// Whether each of some keys is of a row that was not deleted, be its validity over.
    fn have(&self, lexicon: Lexicon, keys: &[&str]) -> Vec<bool> {
        let mut known = vec![false; keys.len()];
        for view in self.0() {
            let lists = view.vocabulary(lexicon).lists(keys);
            for (known, list) in known.iter_mut().zip(&lists) {
                *known |= list
                    .as_ref()
                    .is_some_and(|list| live_rows(view, list).next().is_some());
            }
        }
        known
    }

    /// How a term is written in a few of the rows that have it: as most of them do.
    fn written(&self, term: &str, capitalised: bool) -> Option<String> {
        let mut forms: BTreeMap<&str, usize> = BTreeMap::new();
        for view in self.0() {
            let lists = view.vocabulary(Lexicon::Terms).lists(&[term]);
            for list in lists.iter().flatten() {
                let rows: Vec<RowNumber> = live_rows(view, list).take(ROWS_READ).collect();
                for row in rows {
                    let record = view.record(row);
                    let found = form_in(record.name(), term, capitalised)
                        .or_else(|| form_in(record.body(), term, capitalised));
                    if let Some(form) = found {
                        *forms.entry(form).or_default() += 1;
                    }
                }
            }
        }
        let usual = forms
            .into_iter()
            .rev()
            .max_by_key(|&(_, rows_with)| rows_with);
        usual.map(|(form, _)| form.to_owned())
    }
}

impl<'v, V: Iterator<Item = &'v Arc<View>>, F: Fn() -> V> Memories for Views<F> {
    fn have(&self, terms: &[&str]) -> Vec<bool> {
        self.have(Lexicon::Terms, terms)
    }

    fn have_name_with(&self, query: &str, word: &str) -> bool {
        let Some(word) = normalize_name(word) else {
            return false;
        };
        with_linked_names(query, |names| {
            let names = names.iter().copied();
            let names: Vec<&str> = names
                .filter(|name| name.split(' ').any(|part| part == word))
                .collect();
            self.have(Lexicon::Names, &names).contains(&true)
        })
    }

    fn spelling(&self, terms: &[String], capitalised: bool) -> Option<String> {
        let keys: Vec<&str> = terms.iter().map(String::as_str).collect();
        let mut found: Vec<(u64, &str)> = keys.iter().map(|&key| (0, key)).collect();
        let mut is_known = vec![false; keys.len()];
        for view in self.0() {
            let lists = view.vocabulary(Lexicon::Terms).lists(&keys);
            for (place, list) in lists.iter().enumerate() {
                if let Some(list) = list {
                    found[place].0 += u64::from(list.current_in(view));
                    is_known[place] |= live_rows(view, list).next().is_some();
                }
            }
        }
        let mut known = is_known.into_iter();
        found.retain(|_| known.next().unwrap_or_default());
        found.sort_by(|(rows_with_a, a), (rows_with_b, b)| {
            rows_with_b.cmp(rows_with_a).then_with(|| a.cmp(b))
        });
        let mut best = found.into_iter().take(MOST_SPELLINGS);
        best.find_map(|(_, term)| self.written(term, capitalised))
    }
}

fn live_rows<'a>(view: &'a View, list: &'a Postings) -> impl Iterator<Item = RowNumber> + 'a {
    let postings = list.slices(view.limit).flatten();
    let rows = postings.map(|posting| posting.row);
    rows.filter(|&row| has_row(&view.live, row))
}

/// The word of a text whose only term is a wanted one, as it is written there.
fn form_in<'t>(text: &'t str, term: &str, capitalised: bool) -> Option<&'t str> {
    let first = term.chars().next()?;
    text.split_whitespace().find_map(|token| {
        let word = without_possessive(token.trim_matches(|mark: char| !mark.is_alphanumeric()));
        let begins = word.chars().next()?;
        if begins.is_ascii() && !begins.eq_ignore_ascii_case(&first) {
            return None;
        }
        let is_it = (begins.is_uppercase() || !capitalised) && terms(word) == [term];
        is_it.then_some(word)
    })
}
