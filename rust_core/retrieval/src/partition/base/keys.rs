//! The keys of a view, as a base keeps them: those with a live row, in the order of their table.

use super::HAS_LONG;
use super::build::{Renumbering, Sink, put_all};
use super::directory::{buckets_for, ends_of, hash_of, order_of, tag_of};
use super::layout::LexiconSizes;
use crate::Error;
use crate::partition::dictionary::{Extent, Posting, Postings, Vocabulary};
use crate::partition::segment::RowNumber;

/// What a lexicon is made of.
pub(super) struct Keys {
    keys: Vec<Key>,
    pub(super) sizes: LexiconSizes,
}

struct Key {
    hash: u64,
    text: Box<[u8]>,
    postings: Postings,
    /// Postings of live rows, and bounds of them.
    live: u32,
    extent: Extent,
}

impl Keys {
    /// Those of a vocabulary with a live row below a limit.
    pub(super) fn of(
        vocabulary: &Vocabulary<'_>,
        renumbering: &Renumbering,
        limit: RowNumber,
    ) -> Self {
        let mut sizes = LexiconSizes::default();
        let mut keys = Vec::new();
        for (text, postings) in vocabulary.all() {
            let (mut live, mut extent) = (0, Extent::NONE);
            for &posting in postings.slices(limit).flatten() {
                if renumbering.number_of(posting.row).is_some() {
                    live += 1;
                    extent = extent.with(posting);
                }
            }
            if live > 0 {
                sizes.keys += 1;
                sizes.text_bytes += text.len() as u64;
                sizes.postings += u64::from(live);
                keys.push(Key {
                    hash: hash_of(&text),
                    text,
                    postings,
                    live,
                    extent,
                });
            }
        }
        let buckets = buckets_for(keys.len());
        keys.sort_unstable_by(|a, b| {
            let by_hash = order_of(a.hash, buckets).cmp(&order_of(b.hash, buckets));
            by_hash.then_with(|| a.text.cmp(&b.text))
        });
        Self { keys, sizes }
    }

    /// The tables, in the order of the layout.
    pub(super) fn put_tables(&self, out: &mut impl Sink) -> Result<(), Error> {
        let hashes = self.keys.iter().map(|key| key.hash);
        let ends = ends_of(hashes.clone(), buckets_for(self.keys.len()));
        out.put(bytemuck::cast_slice(&ends))?;
        put_all(out, hashes.map(tag_of))?;
        let mut end = 0;
        put_all(
            out,
            self.keys.iter().map(|key| {
                end += key.text.len() as u32;
                end
            }),
        )?;
        let mut end = 0;
        put_all(
            out,
            self.keys.iter().map(|key| {
                end += key.live;
                end | if key.extent.has_long { HAS_LONG } else { 0 }
            }),
        )?;
        let bounds = |extent: Extent| {
            u32::from(extent.largest_frequency) | u32::from(extent.smallest_length) << 16
        };
        put_all(out, self.keys.iter().map(|key| bounds(key.extent)))
    }

    pub(super) fn put_texts(&self, out: &mut impl Sink) -> Result<(), Error> {
        self.keys.iter().try_for_each(|key| out.put(&key.text))
    }

    pub(super) fn put_postings(
        &self,
        out: &mut impl Sink,
        renumbering: &Renumbering,
        limit: RowNumber,
    ) -> Result<(), Error> {
        let mut sorted = Vec::new();
        for key in &self.keys {
            let postings = key.postings.slices(limit).flatten();
            let renumbered = postings.filter_map(|posting| {
                let row = renumbering.number_of(posting.row)?;
                Some(Posting { row, ..*posting })
            });
            if renumbering.keeps_order() {
                put_all(out, renumbered)?;
            } else {
                sorted.clear();
                sorted.extend(renumbered);
                sorted.sort_unstable_by_key(|posting| posting.row);
                out.put(bytemuck::cast_slice(&sorted))?;
            }
        }
        Ok(())
    }
}
