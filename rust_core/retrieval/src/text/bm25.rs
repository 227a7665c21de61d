//! The weight of a term in a document.

/// The parameters of BM25 as Lucene scores it since version 8: without the factor `k1 + 1`, which changes no order.
///
/// Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25 {
    /// How fast a repeated term saturates; at least 0.
    pub k1: f32,
    /// How much a document's length counts, 0 to 1.
    pub b: f32,
}

impl Default for Bm25 {
    /// `k1 = 0.9`, `b = 0.4`: the best measured on turns of conversations, which are short, so that length says little.
    fn default() -> Self {
        Self { k1: 0.9, b: 0.4 }
    }
}

impl Bm25 {
    /// `ln(1 + (N - df + 0.5) / (df + 0.5))`, above 0 for every term that a document holds.
    ///
    /// A document frequency above the number of documents counts as all of them.
    #[must_use]
    pub fn idf(self, documents: u64, document_frequency: u64) -> f32 {
        let without = documents.saturating_sub(document_frequency) as f64;
        ((without + 0.5) / (document_frequency as f64 + 0.5)).ln_1p() as f32
    }

    /// `idf * tf / (tf + k1 * (1 - b + b * length / average_length))`, below `idf`.
    ///
    /// # Arguments
    ///
    /// * `term_frequency`: how often the document holds the term; 0 scores 0.
    /// * `length`: how many terms the document has.
    /// * `average_length`: the mean of `length` over the documents; if it is not above 0, the length does not count.
    #[must_use]
    pub fn term_score(
        self,
        idf: f32,
        term_frequency: u32,
        length: u32,
        average_length: f32,
    ) -> f32 {
        if term_frequency == 0 {
            return 0.0;
        }
        let relative_length = if average_length > 0.0 {
            length as f32 / average_length
        } else {
            1.0
        };
        let frequency = term_frequency as f32;
        idf * frequency / (frequency + self.k1 * (1.0 - self.b + self.b * relative_length))
    }
}
