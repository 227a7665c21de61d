//! Stems of words, kept for the words of natural text that come again and again.

use std::cell::RefCell;

use rust_stemmers::{Algorithm, Stemmer};

use super::is_stop_word;

/// Words that each thread keeps with their stems. A power of two; 32 bytes each.
const KEPT: usize = 2_048;
/// Longer words are stemmed each time: few are.
const LONGEST_KEPT: usize = 15;

/// A short word in the lower bytes, its length in the highest: 0 is no word.
type Packed = u128;

/// Of words that fall on one place the last is kept.
struct Kept {
    word: Packed,
    /// 0 for a stop word.
    stem: Packed,
}

thread_local! {
    static STEMS: RefCell<Box<[Kept]>> =
        RefCell::new((0..KEPT).map(|_| Kept { word: 0, stem: 0 }).collect());
}

/// Calls `sink` with the stem (Snowball English) of a word of small ASCII letters, unless it is a stop word.
pub(super) fn with_stem(word: &str, sink: impl FnOnce(&str)) {
    let Some(packed) = pack(word) else {
        if !is_stop_word(word) {
            sink(&stem_of(word));
        }
        return;
    };
    let place = place_of(packed);
    let known = STEMS.with_borrow(|kept| {
        let kept = &kept[place];
        (kept.word == packed).then_some(kept.stem)
    });
    if let Some(stem) = known {
        if stem != 0 {
            with_unpacked(stem, sink);
        }
        return;
    }
    let stem = (!is_stop_word(word)).then(|| stem_of(word));
    let packed_stem = stem.as_deref().map_or(Some(0), pack);
    if let Some(stem) = packed_stem {
        STEMS.with_borrow_mut(|kept| kept[place] = Kept { word: packed, stem });
    }
    if let Some(stem) = stem {
        sink(&stem);
    }
}

fn stem_of(word: &str) -> String {
    Stemmer::create(Algorithm::English).stem(word).into_owned()
}

/// None if the word is too long, or empty.
fn pack(word: &str) -> Option<Packed> {
    if !(1..=LONGEST_KEPT).contains(&word.len()) {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..word.len()].copy_from_slice(word.as_bytes());
    bytes[LONGEST_KEPT] = word.len() as u8;
    Some(Packed::from_le_bytes(bytes))
}

fn with_unpacked(packed: Packed, sink: impl FnOnce(&str)) {
    let bytes = packed.to_le_bytes();
    let word = &bytes[..usize::from(bytes[LONGEST_KEPT])];
    sink(std::str::from_utf8(word).expect("only words were packed"));
}

fn place_of(packed: Packed) -> usize {
    /// 2^64 divided by the golden ratio: spreads what differs in few bits.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = (packed as u64 ^ ((packed >> 64) as u64).rotate_left(32)).wrapping_mul(SPREAD);
    (mixed >> 32) as usize % KEPT
}

#[cfg(test)]
mod tests {
    use super::{KEPT, stem_of, with_stem};
    use crate::text::is_stop_word;

    fn stem(word: &str) -> Option<String> {
        let mut found = None;
        with_stem(word, |stem| found = Some(stem.to_owned()));
        found
    }

    #[test]
    fn a_word_has_the_same_stem_whether_it_was_kept_or_not() {
        let letters = || ('a'..='z').map(String::from);
        let endings = ["", "ing", "ed", "ational", "iveness", "s", "ies"];
        let words: Vec<String> = letters()
            .flat_map(|a| letters().map(move |b| format!("{b}{a}{b}o")))
            .flat_map(|word| endings.map(|ending| word.clone() + ending))
            .chain(["the", "internationalisations", "supercalifragilistic"].map(str::to_owned))
            .collect();
        assert!(words.len() > 2 * KEPT, "some must displace others");
        for _ in 0..2 {
            for word in words.iter().chain(words.iter().rev()) {
                let expected = (!is_stop_word(word)).then(|| stem_of(word));
                assert_eq!(stem(word), expected, "{word}");
            }
        }
    }
}
