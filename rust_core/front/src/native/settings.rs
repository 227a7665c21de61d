//! What Python's settings and profiles say, handed over at the start so that there is one place for each.

use std::collections::HashMap;

use mnemic_retrieval::fusion::SIGNALS;
use mnemic_retrieval::index::Calibration;

/// What the native answers have to know of Python's rules.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The profiles by name.
    pub profiles: HashMap<String, Profile>,
    /// The profile of a search that names none.
    pub default_profile: String,
    /// How the support of an answer becomes a confidence, where that is known of the embedding model.
    pub calibration: Option<Calibration>,
    /// How many hits a search gives that says nothing.
    pub default_top_k: usize,
    /// How many it may ask for.
    pub most_top_k: usize,
    /// The longest query, in bytes.
    pub query_bytes: usize,
    /// The longest id of a scope, in bytes.
    pub id_bytes: usize,
    /// The most searches of one call.
    pub searches_per_batch: usize,
    /// The most ids of one call.
    pub ids_per_batch: usize,
}

/// How searches weigh and how far they look.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// In the order of [`mnemic_retrieval::fusion::SIGNAL_NAMES`].
    pub weights: [f64; SIGNALS],
    /// See [`mnemic_retrieval::SearchRequest::candidates`].
    pub candidates: usize,
}

impl Settings {
    /// The profile of a name, the default one if it is empty.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        let name = if name.is_empty() {
            &self.default_profile
        } else {
            name
        };
        self.profiles.get(name)
    }
}
