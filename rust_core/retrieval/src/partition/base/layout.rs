//! Where the parts of a base lie in its image.
//!
//! Every offset follows from a few numbers. A reader of an image that came from a file has nothing to believe but these, and they
//! must give the image's length. The parts are in the order of their alignment, so that all of them are aligned and
//! none is padded, which would cost more than the rows of a small partition.

use crate::Error;
use crate::vector::BitCodes;

use super::super::dictionary::Posting;
use super::super::segment::SEGMENT_ROWS;
use super::directory::buckets_for;

/// Bytes of a row's columns in [`Layout::columns`].
const WIDE: usize = 8;
const NARROW: usize = 4;

/// The numbers from which all else follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Rows.
    pub(crate) rows: u64,
    /// Elements of a row's vector, padding included.
    pub(crate) stride: u64,
    /// Deleted memories whose last version is known.
    pub(crate) tombstones: u64,
    /// Distinct terms, the bytes of their texts, and their postings.
    pub(crate) terms: LexiconSizes,
    /// The same of names.
    pub(crate) names: LexiconSizes,
    /// Bytes of the packed scopes.
    pub(crate) scope_bytes: u64,
    /// Bytes of the records.
    pub(crate) record_bytes: u64,
}

/// The numbers of one lexicon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LexiconSizes {
    pub(crate) keys: u64,
    pub(crate) text_bytes: u64,
    pub(crate) postings: u64,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lexicon {
    Terms,
    Names,
}

/// A column of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    ValidFrom,
    End,
    ExpireTime,
    RecencyTime,
    RecordEnd,
    Scale,
    Length,
    ScopeSlot,
    IdTag,
    IdRow,
}

impl Column {
    /// Bytes of the columns before it, per row.
    const fn before(self) -> usize {
        match self {
            Self::ValidFrom => 0,
            Self::End => WIDE,
            Self::ExpireTime => 2 * WIDE,
            Self::RecencyTime => 3 * WIDE,
            Self::RecordEnd => 4 * WIDE,
            Self::Scale => 5 * WIDE,
            Self::Length => 5 * WIDE + NARROW,
            Self::ScopeSlot => 5 * WIDE + 2 * NARROW,
            Self::IdTag => 5 * WIDE + 3 * NARROW,
            Self::IdRow => 5 * WIDE + 4 * NARROW,
        }
    }
}

/// Bytes of all columns of a row.
const COLUMNS: usize = 5 * WIDE + 5 * NARROW;

/// The offsets, in bytes from the image's beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) sizes: Sizes,
    /// `f32` rows; the codes are before them.
    pub(crate) units: usize,
    /// 1-bit codes of each whole segment.
    pub(crate) bits: usize,
    /// Ids of deleted memories, ascending.
    pub(crate) tombstones: usize,
    columns: usize,
    /// Where each bucket of ids ends.
    pub(crate) id_buckets: usize,
    lexicons: [usize; 2],
    /// The last version of each deleted memory.
    pub(crate) last_versions: usize,
    /// One byte a row.
    pub(crate) flags: usize,
    texts: [usize; 2],
    pub(crate) scopes: usize,
    postings: [usize; 2],
    pub(crate) records: usize,
    /// The length of the image.
    pub(crate) end: usize,
}

impl Layout {
    /// The layout of an image of these sizes.
    ///
    /// # Errors
    ///
    /// The sizes are too large for this machine, or for the widths of the numbers in the image.
    pub(crate) fn new(sizes: Sizes) -> Result<Self, Error> {
        let narrow = [
            sizes.rows,
            sizes.tombstones,
            sizes.terms.keys,
            sizes.terms.text_bytes,
            sizes.terms.postings,
            sizes.names.keys,
            sizes.names.text_bytes,
            sizes.names.postings,
        ];
        let fits = narrow.iter().all(|&size| size < u64::from(u32::MAX) / 2)
            && sizes.stride <= crate::vector::MAX_STRIDE as u64
            && sizes.stride.is_multiple_of(64)
            && sizes.scope_bytes.max(sizes.record_bytes) < 1 << 46;
        if !fits {
            return Err(Error::Internal(
                "a partition is too large for one image".to_owned(),
            ));
        }
        // With these bounds no sum below comes near the width of a number.
        let rows = sizes.rows as usize;
        let stride = sizes.stride as usize;
        let whole = rows / SEGMENT_ROWS as usize;
        let units = rows * stride;
        let bits = units + rows * stride * NARROW;
        let tombstones = bits + whole * BitCodes::bytes_for(SEGMENT_ROWS as usize, stride);
        let columns = tombstones + sizes.tombstones as usize * size_of::<u128>();
        let id_buckets = columns + rows * COLUMNS;
        let terms = id_buckets + buckets_for(rows) * NARROW;
        let names = terms + sizes.terms.table_bytes();
        let last_versions = names + sizes.names.table_bytes();
        let flags = last_versions + sizes.tombstones as usize * NARROW;
        let term_texts = flags + rows;
        let name_texts = term_texts + sizes.terms.text_bytes as usize;
        let scopes = name_texts + sizes.names.text_bytes as usize;
        let term_postings = (scopes + sizes.scope_bytes as usize).next_multiple_of(WIDE);
        let name_postings = term_postings + sizes.terms.posting_bytes();
        let records = name_postings + sizes.names.posting_bytes();
        Ok(Self {
            sizes,
            units,
            bits,
            tombstones,
            columns,
            id_buckets,
            lexicons: [terms, names],
            last_versions,
            flags,
            texts: [term_texts, name_texts],
            scopes,
            postings: [term_postings, name_postings],
            records,
            end: records + sizes.record_bytes as usize,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.sizes.rows as usize
    }

    /// Where the postings begin; the records follow them.
    pub(crate) fn first_postings(&self) -> usize {
        self.postings[0]
    }

    /// Zeros between the packed scopes and the postings.
    pub(crate) fn padding(&self) -> usize {
        self.postings[0] - self.scopes - self.sizes.scope_bytes as usize
    }

    pub(crate) fn stride(&self) -> usize {
        self.sizes.stride as usize
    }

    /// Where a column begins.
    pub(crate) const fn column(&self, column: Column) -> usize {
        self.columns + self.sizes.rows as usize * column.before()
    }

    pub(crate) fn lexicon(&self, lexicon: Lexicon) -> LexiconLayout {
        let place = lexicon as usize;
        let sizes = match lexicon {
            Lexicon::Terms => self.sizes.terms,
            Lexicon::Names => self.sizes.names,
        };
        LexiconLayout {
            sizes,
            table: self.lexicons[place],
            texts: self.texts[place],
            postings: self.postings[place],
        }
    }
}

impl LexiconSizes {
    /// Buckets, and four numbers for each key.
    fn table_bytes(self) -> usize {
        (buckets_for(self.keys as usize) + 4 * self.keys as usize) * NARROW
    }

    fn posting_bytes(self) -> usize {
        self.postings as usize * size_of::<Posting>()
    }
}

/// Where the parts of one lexicon begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LexiconLayout {
    pub(crate) sizes: LexiconSizes,
    table: usize,
    pub(crate) texts: usize,
    pub(crate) postings: usize,
}

impl LexiconLayout {
    pub(crate) fn keys(&self) -> usize {
        self.sizes.keys as usize
    }

    /// Where each bucket ends.
    pub(crate) fn buckets(&self) -> usize {
        self.table
    }

    pub(crate) fn tags(&self) -> usize {
        self.table + buckets_for(self.keys()) * NARROW
    }

    /// Where the text of each key ends.
    pub(crate) fn text_ends(&self) -> usize {
        self.tags() + self.keys() * NARROW
    }

    /// Where the postings of each key end.
    pub(crate) fn posting_ends(&self) -> usize {
        self.tags() + 2 * self.keys() * NARROW
    }

    /// Bounds of the postings of each key.
    pub(crate) fn extents(&self) -> usize {
        self.tags() + 3 * self.keys() * NARROW
    }
}
