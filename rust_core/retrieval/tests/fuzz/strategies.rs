//! Hostile texts.

use proptest::prelude::*;

/// What segmentation, folding and the search for names treat in a way of its own, and what lies beside it.
const ATOMS: [&str; 72] = [
    " ",
    "\t",
    "\n",
    "\u{A0}",
    "\u{3000}",
    "\u{2028}", // white space
    "a",
    "Z",
    "i",
    "İ",
    "ı",
    "ß",
    "ẞ",
    "ﬁ",
    "ǅ",
    "Ω",
    "ς",
    "я",
    "é",
    "e\u{301}",
    "\u{1E69}", // letters
    "0",
    "7",
    "٣",
    "²",
    "½",
    "Ⅷ",
    "①", // digits
    "-",
    "_",
    ".",
    "/",
    ":",
    "::",
    "://",
    "+",
    "++",
    "#",
    "@",
    "&",
    "'",
    "’",
    "'s",
    "’S",
    ",",
    "\\",
    "%",
    "=",
    "~",
    "\u{301}",
    "\u{345}",
    "\u{20DD}",
    "\u{FE0F}",
    "\u{1F3FB}", // marks that want a letter before them
    "\u{200B}",
    "\u{200D}",
    "\u{AD}",
    "\u{202E}",
    "\u{2066}",
    "\u{FEFF}", // nothing to be seen
    "\"",
    "“",
    "”",
    "«",
    "„", // quotation marks
    "שלום",
    "مرحبا",
    "字",
    "かな",
    "ไทย",
    "한",
    "\u{1112}\u{1161}", // other scripts
];

const WORDS: [&str; 12] = [
    "the",
    "of",
    "van",
    "New",
    "York",
    "I",
    "Mr",
    "GPT-4",
    "1,000",
    "don't",
    "\u{FDFA}",
    "\u{10FFFF}",
];

fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&ATOMS[..]).prop_map(str::to_owned),
        2 => prop::sample::select(&WORDS[..]).prop_map(|word| format!("{word} ")),
        2 => any::<char>().prop_map(String::from),
    ]
}

/// Short texts of hostile pieces.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::collection::vec(pieces(), 0..40).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

/// Texts of some 100 KB: a few pieces again and again, so that whatever looks back or ahead too far does so always.
pub(crate) fn long_texts() -> impl Strategy<Value = String> {
    const BYTES: usize = 100_000;
    (
        prop::collection::vec(pieces(), 1..6).prop_map(|pieces| pieces.concat()),
        texts(),
    )
        .prop_map(|(repeated, end)| repeated.repeat(BYTES / repeated.len()) + &end)
}
