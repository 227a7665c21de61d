//! Names: found in texts without a model, folded to one form, and looked up by the words of a query.
//!
//! A name is
//! * a quoted phrase of at most six words,
//! * an identifier: letters with digits (`GPT-4`, `B2B`), `snake_case`, `camelCase`, `#42`, `@handle`, an e-mail address,
//! * a run of capitalised words (`New York`, `Bank of America`, `Marie Curie`), except that the first word of a sentence
//!   says nothing by its capital: it counts only if no common word is spelt so, or if the text capitalises it elsewhere.
//!
//! Precision matters more than completeness: a name that is missed can still be found as a word.

mod common_words;
mod find;
mod link;
mod speakers;

pub(crate) use common_words::{is_common, is_starter};
pub use find::find_entities;
pub(crate) use find::without_possessive;
pub(crate) use link::with_linked_names;
pub use link::{linked_names, normalize_name, rarity};
pub use speakers::named_speakers;
