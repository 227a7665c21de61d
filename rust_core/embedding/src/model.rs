//! What every local model gives.

use std::time::Instant;

use crate::Error;

/// Turns texts into unit vectors; may be used from many threads at once.
pub trait QueryModel: Send + Sync {
    /// Names the model so exactly that two vectors with the same identity may be compared.
    fn identity(&self) -> &str;

    /// The length of a vector.
    fn dimension(&self) -> usize;

    /// Whether a text of a few sentences takes no longer than waking a thread, some tens of microseconds.
    fn is_quick(&self) -> bool {
        false
    }

    /// Embeds texts: their vectors one after another, each of length 1.
    ///
    /// # Errors
    /// [`Error::Deadline`] when the deadline passes while texts are left; [`Error::NotFinite`]; [`Error::Internal`].
    fn embed_all(&self, texts: &[&str], deadline: Option<Instant>) -> Result<Vec<f32>, Error>;

    /// Embeds one text.
    ///
    /// # Errors
    /// As for [`QueryModel::embed_all`].
    fn embed(&self, text: &str) -> Result<Vec<f32>, Error> {
        self.embed_all(&[text], None)
    }
}
