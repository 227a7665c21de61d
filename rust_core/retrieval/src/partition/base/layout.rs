//! Where the parts of a base lie in its image.
//!
//! Every offset follows from a few numbers. A reader of an image that came from a file has nothing to believe but these, and they
//! must give the image's length. The parts are in the order of their alignment, so that all of them are aligned and
//! none is padded, which would cost more than the rows of a small partition.

use std::num::NonZeroU16;

use crate::Error;
use crate::vector::{BitCodes, LANE, MAX_STRIDE};

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

/// The offsets, in bytes from the image's beginning: a few are kept, the others are a sum away. A partition has one layout
/// however small it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    rows: u32,
    tombstones: u32,
    lexicons: [Narrow; 2],
    /// In units of [`LANE`].
    stride: NonZeroU16,
    /// Zeros between the packed scopes and the postings.
    padding: u8,
    columns: usize,
    flags: usize,
    records: usize,
    end: usize,
}

/// [`LexiconSizes`] as far as an image can have them.
#[derive(Clone, Copy, Debug)]
struct Narrow {
    keys: u32,
    text_bytes: u32,
    postings: u32,
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
            && sizes.stride <= MAX_STRIDE as u64
            && sizes.stride.is_multiple_of(LANE as u64)
            && sizes.scope_bytes.max(sizes.record_bytes) < 1 << 46;
        let stride = NonZeroU16::new((sizes.stride / LANE as u64) as u16);
        let Some(stride) = stride.filter(|_| fits) else {
            return Err(Error::Internal(
                "a partition is too large for one image".to_owned(),
            ));
        };
        // With these bounds no sum below comes near the width of a number.
        let mut layout = Self {
            rows: sizes.rows as u32,
            tombstones: sizes.tombstones as u32,
            lexicons: [sizes.terms.narrow(), sizes.names.narrow()],
            stride,
            padding: 0,
            columns: 0,
            flags: 0,
            records: 0,
            end: 0,
        };
        let whole = layout.rows() / SEGMENT_ROWS as usize;
        let tombstones =
            layout.bits() + whole * BitCodes::bytes_for(SEGMENT_ROWS as usize, layout.stride());
        layout.columns = tombstones + layout.tombstones() * size_of::<u128>();
        layout.flags = layout.last_versions() + layout.tombstones() * NARROW;
        let scopes_end = layout.scopes() + sizes.scope_bytes as usize;
        let postings = scopes_end.next_multiple_of(WIDE);
        layout.padding = (postings - scopes_end) as u8;
        layout.records = postings + sizes.terms.posting_bytes() + sizes.names.posting_bytes();
        layout.end = layout.records + sizes.record_bytes as usize;
        Ok(layout)
    }

    /// The numbers of which it was made.
    pub(crate) fn sizes(&self) -> Sizes {
        let [terms, names] = self.lexicons.map(Narrow::sizes);
        Sizes {
            rows: self.rows.into(),
            stride: self.stride() as u64,
            tombstones: self.tombstones.into(),
            terms,
            names,
            scope_bytes: self.scope_bytes() as u64,
            record_bytes: (self.end - self.records) as u64,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// How many deleted memories it names.
    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones as usize
    }

    pub(crate) fn stride(&self) -> usize {
        usize::from(self.stride.get()) * LANE
    }

    /// `f32` rows; the codes are before them.
    pub(crate) fn units(&self) -> usize {
        self.rows() * self.stride()
    }

    /// 1-bit codes of each whole segment.
    pub(crate) fn bits(&self) -> usize {
        self.units() * (1 + size_of::<f32>())
    }

    /// Ids of deleted memories, ascending.
    pub(crate) fn tombstone_ids(&self) -> usize {
        self.columns - self.tombstones() * size_of::<u128>()
    }

    /// Where a column begins.
    #[inline]
    pub(crate) const fn column(&self, column: Column) -> usize {
        self.columns + self.rows as usize * column.before()
    }

    /// Where each bucket of ids ends.
    pub(crate) fn id_buckets(&self) -> usize {
        self.columns + self.rows() * COLUMNS
    }

    /// The tables of a lexicon.
    fn table(&self, lexicon: Lexicon) -> usize {
        let terms = self.id_buckets() + buckets_for(self.rows()) * NARROW;
        match lexicon {
            Lexicon::Terms => terms,
            Lexicon::Names => terms + self.sizes_of(Lexicon::Terms).table_bytes(),
        }
    }

    /// The last version of each deleted memory.
    pub(crate) fn last_versions(&self) -> usize {
        self.table(Lexicon::Names) + self.sizes_of(Lexicon::Names).table_bytes()
    }

    /// One byte a row.
    pub(crate) fn flags(&self) -> usize {
        self.flags
    }

    fn texts(&self, lexicon: Lexicon) -> usize {
        let terms = self.flags + self.rows();
        match lexicon {
            Lexicon::Terms => terms,
            Lexicon::Names => terms + self.lexicons[0].text_bytes as usize,
        }
    }

    pub(crate) fn scopes(&self) -> usize {
        self.texts(Lexicon::Names) + self.lexicons[1].text_bytes as usize
    }

    pub(crate) fn scope_bytes(&self) -> usize {
        self.first_postings() - self.padding() - self.scopes()
    }

    /// Zeros between the packed scopes and the postings.
    pub(crate) fn padding(&self) -> usize {
        self.padding.into()
    }

    fn postings(&self, lexicon: Lexicon) -> usize {
        let names = self.records - self.sizes_of(Lexicon::Names).posting_bytes();
        match lexicon {
            Lexicon::Terms => names - self.sizes_of(Lexicon::Terms).posting_bytes(),
            Lexicon::Names => names,
        }
    }

    /// Where the postings begin; the records follow them.
    pub(crate) fn first_postings(&self) -> usize {
        self.postings(Lexicon::Terms)
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The length of the image.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    fn sizes_of(&self, lexicon: Lexicon) -> LexiconSizes {
        self.lexicons[lexicon as usize].sizes()
    }

    pub(crate) fn lexicon(&self, lexicon: Lexicon) -> LexiconLayout {
        LexiconLayout {
            sizes: self.sizes_of(lexicon),
            table: self.table(lexicon),
            texts: self.texts(lexicon),
            postings: self.postings(lexicon),
        }
    }
}

impl Narrow {
    fn sizes(self) -> LexiconSizes {
        LexiconSizes {
            keys: self.keys.into(),
            text_bytes: self.text_bytes.into(),
            postings: self.postings.into(),
        }
    }
}

impl LexiconSizes {
    /// The same in fewer bytes; they fit.
    fn narrow(self) -> Narrow {
        Narrow {
            keys: self.keys as u32,
            text_bytes: self.text_bytes as u32,
            postings: self.postings as u32,
        }
    }

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
