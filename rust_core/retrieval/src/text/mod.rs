//! Words: segmentation, stemming and BM25.
//!
//! [`analyze`] turns a text into terms, the same way for documents and queries:
//!
//! 1. Text that is not ASCII is brought to Unicode's NFKC, so that spellings that look alike are alike.
//! 2. It is cut into chunks at white space, brackets, quotes and other marks that no identifier holds, and where a script
//!    that writes no spaces (Han, kana, Thai …) begins or ends.
//! 3. A possessive `'s` is dropped.
//! 4. A chunk of letters is a word: lower-cased, left out if it is one of [`is_stop_word`], stemmed (Snowball English).
//! 5. A chunk with marks inside (`GPT-4o`, `user_id`, `v1.2.3`, `2023-05-07`, `foo@bar.com`, `https://x.y/z`, `C++`, `3.14`)
//!    is one term as a whole, lower-cased and not stemmed, and so is each part between the marks as a word of its own. So a
//!    query for `ord-12345` finds the rare whole, and one for `12345` the part. `1,000` has the part `1000`.
//! 6. Chunks of scripts without spaces are cut by UAX #29: each Han character is a term.
//!
//! [`QueryTerms`] are the distinct terms of a query; they also say which of them are identifiers and which were quoted.
//!
//! Latin letters lose their diacritics (`café` is `cafe`). Terms longer than [`MAX_TERM_BYTES`] are cut. Negations (`not`,
//! `don't`) are stop words like any other: bags of words cannot tell what is negated, the vectors must.

mod analysis;
mod bm25;
mod fold;
mod query;
mod question;
mod segment;
mod stem;
mod stop_words;

pub use analysis::{MAX_TERM_BYTES, analyze, terms};
pub use bm25::Bm25;
pub(crate) use fold::fold;
pub(crate) use query::quotations;
pub use query::{Identifier, Phrase, QueryTerms};
pub use question::ends_in_question;
pub use stop_words::is_stop_word;
