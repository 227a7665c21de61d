//! Makes a base of the live rows of a view, in memory or as the bytes of a file.

use std::sync::Arc;

use bytemuck::Pod;

use super::directory::{buckets_for, ends_of, hash_of, order_of, tag_of};
use super::image::Image;
use super::keys::Keys;
use super::layout::{Layout, Lexicon, LexiconSizes, Sizes};
use super::units::Units;
use super::{ASKS, Base, CLOSED, CONTINUES, HAS_VECTOR, IN_SESSION, MESSAGE, scopes};
use crate::Error;
use crate::partition::conversations::Order;
use crate::partition::memory::MESSAGE_KIND;
use crate::partition::segment::{RowNumber, SEGMENT_ROWS, Segment};
use crate::partition::view::{View, rows_of};
use crate::vector::{Aligned, AlignedBytes, BitCodes};

/// Takes the bytes of an image, one after another.
pub(crate) trait Sink {
    /// Takes some.
    ///
    /// # Errors
    ///
    /// They cannot be kept.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// Puts numbers, many at a time.
pub(super) fn put_all<T: Pod>(
    out: &mut impl Sink,
    values: impl IntoIterator<Item = T>,
) -> Result<(), Error> {
    let mut buffer = [T::zeroed(); 64];
    let mut filled = 0;
    for value in values {
        buffer[filled] = value;
        filled += 1;
        if filled == buffer.len() {
            out.put(bytemuck::cast_slice(&buffer))?;
            filled = 0;
        }
    }
    out.put(bytemuck::cast_slice(&buffer[..filled]))
}

/// The numbers that the live rows of a view get in its base: those of one scope follow one another, so that a search for a
/// session reads one stretch, its messages first and in the order of the conversation.
pub(crate) struct Renumbering {
    /// By the number in the view.
    numbers: Vec<RowNumber>,
    keeps_order: bool,
}

impl Renumbering {
    /// The number of a row that is not live.
    const NONE: RowNumber = RowNumber::MAX;

    /// The rows in their new order, and the way to it.
    fn of(view: &View) -> (Vec<RowNumber>, Self) {
        let mut rows: Vec<RowNumber> = rows_of(&view.live).collect();
        rows.sort_by_cached_key(|&row| {
            let (segment, place) = view.locate(row);
            let record = segment.record(place);
            let is_other = record.kind() != MESSAGE_KIND;
            (segment.scope_slots()[place], is_other, Order::of(record))
        });
        let mut numbers = vec![Self::NONE; 64 * view.live.len()];
        for (&row, number) in rows.iter().zip(0..) {
            numbers[row as usize] = number;
        }
        let keeps_order = rows.is_sorted();
        let renumbering = Self {
            numbers,
            keeps_order,
        };
        (rows, renumbering)
    }

    /// Whether a row comes after another in the base if it does in the view.
    pub(super) fn keeps_order(&self) -> bool {
        self.keeps_order
    }

    /// None if the row is not live.
    #[inline]
    pub(crate) fn number_of(&self, row: RowNumber) -> Option<RowNumber> {
        let number = self.numbers.get(row as usize).copied();
        number.filter(|&number| number != Self::NONE)
    }
}

/// A base to be written.
pub(crate) struct Plan<'a> {
    view: &'a Arc<View>,
    pub(crate) layout: Layout,
    rows: Vec<RowNumber>,
    renumbering: Renumbering,
    lexicons: [Keys; 2],
    /// The hash of each row's memory id, in the order of the table.
    ids: Vec<(u64, RowNumber)>,
    /// New slots of the scopes in use.
    slots: Vec<u32>,
    scopes: Vec<u8>,
    /// By id.
    tombstones: Vec<(u128, u32)>,
}

impl<'a> Plan<'a> {
    /// Looks at everything that the sizes depend on.
    ///
    /// # Errors
    ///
    /// The partition is too large for one image.
    pub(crate) fn new(
        view: &'a Arc<View>,
        stride: usize,
        mut tombstones: Vec<(u128, u32)>,
    ) -> Result<Self, Error> {
        tombstones.sort_unstable();
        let (rows, renumbering) = Renumbering::of(view);
        let lexicons = [Lexicon::Terms, Lexicon::Names]
            .map(|lexicon| Keys::of(&view.vocabulary(lexicon), &renumbering, view.limit));
        let records = rows.iter().map(|&row| view.record(row));
        let mut ids: Vec<(u64, RowNumber)> = records
            .clone()
            .zip(0..)
            .map(|(record, number)| (hash_of(&record.memory_id().to_le_bytes()), number))
            .collect();
        let buckets = buckets_for(rows.len());
        ids.sort_unstable_by_key(|&(hash, row)| (order_of(hash, buckets), row));
        let (slots, scopes) = used_scopes(view, &rows);
        let [terms, names]: [LexiconSizes; 2] = [lexicons[0].sizes, lexicons[1].sizes];
        let layout = Layout::new(Sizes {
            rows: rows.len() as u64,
            stride: stride as u64,
            tombstones: tombstones.len() as u64,
            terms,
            names,
            scope_bytes: scopes.len() as u64,
            record_bytes: records.map(|record| record.as_bytes().len() as u64).sum(),
        })?;
        Ok(Self {
            view,
            layout,
            rows,
            renumbering,
            lexicons,
            ids,
            slots,
            scopes,
            tombstones,
        })
    }

    /// The base in memory.
    ///
    /// # Errors
    ///
    /// None is known.
    pub(crate) fn build(&self) -> Result<Base, Error> {
        let mut image = HeapSink {
            bytes: AlignedBytes::zeroed(self.layout.end()),
            length: 0,
        };
        self.put(&mut image)?;
        Ok(Base::new(Image::Heap(image.bytes), self.layout))
    }

    /// The numbers that the rows have in it.
    pub(crate) fn into_renumbering(self) -> Renumbering {
        self.renumbering
    }

    /// Where each unit of the image ends, the last first.
    pub(crate) fn unit_ends(&self, units: &Units) -> Vec<usize> {
        let mut ends: Vec<usize> = units.ends_before_records().collect();
        let mut end = self.layout.records();
        for (row, &number) in self.rows.iter().enumerate() {
            end += self.view.record(number).as_bytes().len();
            if units.is_last_of_records(row) {
                ends.push(end);
            }
        }
        ends.reverse();
        ends
    }

    /// Gives the bytes of the image, in order.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn put(&self, out: &mut impl Sink) -> Result<(), Error> {
        self.put_vectors(out)?;
        put_all(out, self.tombstones.iter().map(|&(id, _)| id))?;
        self.put_columns(out)?;
        for keys in &self.lexicons {
            keys.put_tables(out)?;
        }
        put_all(out, self.tombstones.iter().map(|&(_, version)| version))?;
        let view = self.view;
        let mut conversation = ConversationFlags::of(view);
        self.put_each(out, |segment, place| {
            let vector = if segment.has_vector(place) {
                HAS_VECTOR
            } else {
                0
            };
            let closed = segment.closed_at(place, view.sequence).is_some();
            let of_conversation = conversation.flags(segment, place);
            vector | if closed { CLOSED } else { 0 } | of_conversation
        })?;
        for keys in &self.lexicons {
            keys.put_texts(out)?;
        }
        out.put(&self.scopes)?;
        out.put(&[0; 8][..self.layout.padding()])?;
        for keys in &self.lexicons {
            keys.put_postings(out, &self.renumbering, view.limit)?;
        }
        let mut records = self.rows.iter().map(|&row| view.record(row));
        records.try_for_each(|record| out.put(record.as_bytes()))
    }

    fn put_vectors(&self, out: &mut impl Sink) -> Result<(), Error> {
        let stride = self.layout.stride();
        for (segment, place) in self.places() {
            out.put(&segment.codes()[place * stride..][..stride])?;
        }
        for (segment, place) in self.places() {
            out.put(bytemuck::cast_slice(
                &segment.units()[place * stride..][..stride],
            ))?;
        }
        let mut units = Aligned::zeroed(0);
        for rows in self.rows.chunks_exact(SEGMENT_ROWS as usize) {
            if units.is_empty() {
                units = Aligned::zeroed(rows.len() * stride);
            }
            let mut has_vector = Vec::with_capacity(rows.len());
            for (&row, unit) in rows.iter().zip(units.chunks_exact_mut(stride)) {
                let (segment, place) = self.view.locate(row);
                unit.copy_from_slice(&segment.units()[place * stride..][..stride]);
                has_vector.push(segment.has_vector(place));
            }
            if let Some(bits) = BitCodes::of(&units, stride, &has_vector) {
                bits.sections()
                    .into_iter()
                    .try_for_each(|bytes| out.put(bytes))?;
            } else {
                out.put(&vec![0; BitCodes::bytes_for(rows.len(), stride)])?;
            }
        }
        Ok(())
    }

    fn put_columns(&self, out: &mut impl Sink) -> Result<(), Error> {
        let sequence = self.view.sequence;
        self.put_each(out, |segment, place| segment.valid_from()[place])?;
        self.put_each(out, |segment, place| segment.end_at(place, sequence))?;
        self.put_each(out, |segment, place| segment.expire_times()[place])?;
        self.put_each(out, |segment, place| segment.recency_times()[place])?;
        let mut end = 0;
        self.put_each(out, |segment, place| {
            end += segment.record(place).as_bytes().len() as u64;
            end
        })?;
        self.put_each(out, |segment, place| segment.scales()[place])?;
        self.put_each(out, |segment, place| segment.lengths()[place])?;
        self.put_each(out, |segment, place| {
            self.slots[segment.scope_slots()[place] as usize]
        })?;
        let hashes = self.ids.iter().map(|&(hash, _)| hash);
        put_all(out, hashes.clone().map(tag_of))?;
        put_all(out, self.ids.iter().map(|&(_, row)| row))?;
        let ends = ends_of(hashes, buckets_for(self.rows.len()));
        out.put(bytemuck::cast_slice(&ends))
    }

    fn put_each<T: Pod>(
        &self,
        out: &mut impl Sink,
        mut value: impl FnMut(Segment<'_>, usize) -> T,
    ) -> Result<(), Error> {
        put_all(
            out,
            self.places().map(|(segment, place)| value(segment, place)),
        )
    }

    fn places(&self) -> impl Iterator<Item = (Segment<'_>, usize)> {
        self.rows.iter().map(|&row| self.view.locate(row))
    }
}

/// What the flags of rows say of the conversation, row after row.
struct ConversationFlags<'a> {
    view: &'a View,
    /// The row before: its slot, whether that has a session, and its place in the conversation if it is a message.
    before: Option<(u32, bool, Option<Order>)>,
}

impl<'a> ConversationFlags<'a> {
    fn of(view: &'a View) -> Self {
        Self { view, before: None }
    }

    fn flags(&mut self, segment: Segment<'_>, place: usize) -> u8 {
        let (slot, record) = (segment.scope_slots()[place], segment.record(place));
        let before = self.before.filter(|(of_before, ..)| *of_before == slot);
        let in_session = before.map_or_else(
            || self.view.scope(slot).session_id.is_some(),
            |(_, in_session, _)| in_session,
        );
        let order = (record.kind() == MESSAGE_KIND).then(|| Order::of(record));
        let before = before.and_then(|(.., order)| order);
        let pair = before.as_ref().zip(order.as_ref());
        let continues = pair.is_some_and(|(before, order)| order.is_same(before));
        self.before = Some((slot, in_session, order));
        let flag = |applies: bool, flag: u8| if applies { flag } else { 0 };
        flag(order.is_some(), MESSAGE)
            | flag(continues, CONTINUES)
            | flag(in_session, IN_SESSION)
            | flag(record.asks(), ASKS)
    }
}

/// The scopes that rows name: for each slot its new number, and the scopes in the new order, packed.
fn used_scopes(view: &View, rows: &[RowNumber]) -> (Vec<u32>, Vec<u8>) {
    const UNUSED: u32 = u32::MAX;
    let (mut slots, mut used, mut packed) = (Vec::new(), 0, Vec::new());
    for &row in rows {
        let (segment, place) = view.locate(row);
        let slot = segment.scope_slots()[place] as usize;
        if slots.len() <= slot {
            slots.resize(slot + 1, UNUSED);
        }
        if slots[slot] == UNUSED {
            slots[slot] = used;
            used += 1;
            scopes::pack(&view.scope(slot as u32), &mut packed);
        }
    }
    (slots, packed)
}

/// A block of memory that is filled.
struct HeapSink {
    bytes: AlignedBytes,
    length: usize,
}

impl Sink for HeapSink {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
        Ok(())
    }
}
