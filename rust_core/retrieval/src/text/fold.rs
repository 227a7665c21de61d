//! One spelling for what readers take for the same letters.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// The text in lower case, NFKC, without the diacritics of Latin and Greek letters and without invisible characters.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    // ASCII changes no answer of the quick check: it is normal itself and orders no marks.
    let beyond_ascii = text.chars().filter(|character| !character.is_ascii());
    if is_nfkc_quick(beyond_ascii) == IsNormalized::Yes {
        text.chars()
            .for_each(|character| fold_character(character, &mut folded));
    } else {
        text.nfkc()
            .for_each(|character| fold_character(character, &mut folded));
    }
    folded
}

fn fold_character(character: char, folded: &mut String) {
    match character {
        _ if character.is_ascii() => folded.push(character.to_ascii_lowercase()),
        '\u{2018}' | '\u{2019}' | '\u{02BC}' => folded.push('\''), // apostrophes as word processors write them
        '\u{2010}' | '\u{2212}' => folded.push('-'), // NFKC makes the no-break hyphen the first
        '\u{00AD}'
        | '\u{200C}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => {}
        _ => character
            .to_lowercase()
            .for_each(|lower| fold_letter(lower, folded)),
    }
}

/// Latin and Greek letters lose their marks, because people type names without them.
fn fold_letter(letter: char, folded: &mut String) {
    match letter {
        'ß' => folded.push_str("ss"),
        'æ' => folded.push_str("ae"),
        'œ' => folded.push_str("oe"),
        'þ' => folded.push_str("th"),
        'ø' => folded.push('o'),
        'đ' | 'ð' => folded.push('d'),
        'ł' => folded.push('l'),
        'ı' => folded.push('i'),
        'ς' => folded.push('σ'),
        '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1FFF}' | '\u{0370}'..='\u{03FF}' => {
            decompose_canonical(letter, |part| {
                if !is_combining_mark(part) {
                    folded.push(part);
                }
            });
        }
        _ if is_combining_mark(letter) && folded.ends_with(is_markless) => {}
        _ => folded.push(letter),
    }
}

/// Whether the letter has lost its marks, so that one which did not compose with it goes too.
fn is_markless(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '\u{0370}'..='\u{03FF}')
}
