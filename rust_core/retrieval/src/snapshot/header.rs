//! What stands before the image in a file: whose it is, the numbers of its layout, and its checksums.

use crate::partition::PartitionKey;
use crate::partition::base::layout::{LexiconSizes, Sizes};

/// The first bytes of a file. The end of a line as other systems write it tells a transfer that took the file for text.
const MAGIC: [u8; 8] = *b"MNEMIC\r\n";
/// Changes with everything that changes the meaning of a file, the analysis of texts included: an older one is made anew.
const VERSION: u32 = 5;
/// Reads otherwise on a machine with another order of bytes, for the image is as it lies in memory.
const BYTE_ORDER: u32 = 0x0102_0304;
/// The header's length is a multiple of this, so that the image begins on a page.
const PAGE: usize = 4_096;
/// Magic, version, byte order, header length, and the checksum of all of the header but itself.
pub(super) const PREFIX_BYTES: usize = 28;
const CHECKSUM_AT: usize = 24;

/// Whose the rows are, and what the image looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key: PartitionKey,
    pub(super) model: String,
    pub(super) dimension: u32,
    /// The store's revision whose state it is.
    pub(super) revision: i64,
    pub(super) sizes: Sizes,
    /// One for each unit of the image.
    pub(super) checksums: Vec<u32>,
}

/// Why bytes are not the header of a usable file.
pub(super) type Why = &'static str;

impl Header {
    /// How long the header of so many checksums is.
    pub(super) fn length(key: &PartitionKey, model: &str, checksums: usize) -> usize {
        const NUMBERS: usize = 1 + 4 + 8 + 11 * 8 + 4 * 4;
        let texts = key.tenant.len() + key.owner_id.len() + model.len();
        (PREFIX_BYTES + NUMBERS + texts + 4 * checksums).next_multiple_of(PAGE)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let length = Self::length(&self.key, &self.model, self.checksums.len());
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(BYTE_ORDER.to_ne_bytes());
        bytes.extend((length as u64).to_le_bytes());
        bytes.extend([0; PREFIX_BYTES - CHECKSUM_AT]);
        for text in [&self.key.tenant, &self.key.owner_id, &self.model] {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.push(self.key.owner_kind);
        bytes.extend(self.dimension.to_le_bytes());
        bytes.extend(self.revision.to_le_bytes());
        for number in numbers_of(&self.sizes) {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.checksums.len() as u32).to_le_bytes());
        bytes.extend(self.checksums.iter().flat_map(|sum| sum.to_le_bytes()));
        bytes.resize(length, 0);
        let sum = checksum_of(&bytes).to_le_bytes();
        bytes[CHECKSUM_AT..PREFIX_BYTES].copy_from_slice(&sum);
        bytes
    }

    /// How long the header is that begins with these bytes.
    pub(super) fn length_of(prefix: &[u8; PREFIX_BYTES]) -> Result<usize, Why> {
        let mut rest = Rest(prefix);
        if rest.array()? != MAGIC {
            return Err("it is no snapshot");
        }
        if u32::from_le_bytes(rest.array()?) != VERSION {
            return Err("it has another format version");
        }
        if u32::from_ne_bytes(rest.array()?) != BYTE_ORDER {
            return Err("it was written on a machine with another byte order");
        }
        let length = u64::from_le_bytes(rest.array()?);
        let fits = length >= PAGE as u64 && length < 1 << 40 && length.is_multiple_of(PAGE as u64);
        fits.then_some(length as usize).ok_or(DAMAGED)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Why> {
        if bytes.len() < PREFIX_BYTES {
            return Err(DAMAGED);
        }
        let mut rest = Rest(&bytes[CHECKSUM_AT..]);
        if u32::from_le_bytes(rest.array()?) != checksum_of(bytes) {
            return Err(DAMAGED);
        }
        let (tenant, owner_id, model) = (rest.text()?, rest.text()?, rest.text()?);
        let [owner_kind] = rest.array()?;
        let key = PartitionKey {
            tenant,
            owner_kind,
            owner_id,
        };
        Ok(Self {
            key,
            model,
            dimension: u32::from_le_bytes(rest.array()?),
            revision: i64::from_le_bytes(rest.array()?),
            sizes: rest.sizes()?,
            checksums: rest.checksums()?,
        })
    }
}

const DAMAGED: Why = "its header is damaged";

fn checksum_of(header: &[u8]) -> u32 {
    let before = crc32c::crc32c(&header[..CHECKSUM_AT]);
    crc32c::crc32c_append(before, &header[PREFIX_BYTES..])
}

fn numbers_of(sizes: &Sizes) -> [u64; 11] {
    let [terms, names] = [sizes.terms, sizes.names];
    [
        sizes.rows,
        sizes.stride,
        sizes.tombstones,
        terms.keys,
        terms.text_bytes,
        terms.postings,
        names.keys,
        names.text_bytes,
        names.postings,
        sizes.scope_bytes,
        sizes.record_bytes,
    ]
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Why> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Why> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(&mut self) -> Result<String, Why> {
        let length = u32::from_le_bytes(self.array()?);
        let bytes = self.take(length as usize)?.to_vec();
        String::from_utf8(bytes).map_err(|_| DAMAGED)
    }

    fn sizes(&mut self) -> Result<Sizes, Why> {
        Ok(Sizes {
            rows: self.number()?,
            stride: self.number()?,
            tombstones: self.number()?,
            terms: self.lexicon_sizes()?,
            names: self.lexicon_sizes()?,
            scope_bytes: self.number()?,
            record_bytes: self.number()?,
        })
    }

    fn lexicon_sizes(&mut self) -> Result<LexiconSizes, Why> {
        Ok(LexiconSizes {
            keys: self.number()?,
            text_bytes: self.number()?,
            postings: self.number()?,
        })
    }

    fn number(&mut self) -> Result<u64, Why> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn checksums(&mut self) -> Result<Vec<u32>, Why> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        let bytes = self.take(count.checked_mul(4).ok_or(DAMAGED)?)?;
        let (sums, _) = bytes.as_chunks();
        Ok(sums.iter().map(|&sum| u32::from_le_bytes(sum)).collect())
    }
}
