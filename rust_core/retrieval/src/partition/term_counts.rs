//! How often each term occurs in one text, counted in memory that lives from text to text.

/// The terms of a text, one after another.
#[derive(Default)]
pub(super) struct TermCounts {
    text: String,
    terms: Vec<Place>,
}

/// Where a term is in the text.
struct Place {
    /// The term's first bytes, the first of them highest: they tell most terms apart.
    prefix: u64,
    start: u32,
    end: u32,
}

impl TermCounts {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.terms.clear();
    }

    pub(super) fn push(&mut self, term: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(term);
        self.terms.push(Place {
            prefix: prefix(term),
            start,
            end: self.text.len() as u32,
        });
    }

    /// How many there are, repeats included.
    pub(super) fn len(&self) -> u32 {
        self.terms.len() as u32
    }

    /// Each distinct term with its number, by the terms' bytes.
    pub(super) fn counted(&mut self) -> impl Iterator<Item = (&str, u32)> {
        let text = self.text.as_str();
        let term = |place: &Place| &text[place.start as usize..place.end as usize];
        self.terms.sort_unstable_by(|a, b| {
            let by_prefix = a.prefix.cmp(&b.prefix);
            by_prefix.then_with(|| term(a).cmp(term(b)))
        });
        self.terms
            .chunk_by(move |a, b| a.prefix == b.prefix && term(a) == term(b))
            .map(move |equal| (term(&equal[0]), equal.len() as u32))
    }
}

/// Zeros stand for the bytes that a short term has not.
fn prefix(term: &str) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    let length = term.len().min(bytes.len());
    bytes[..length].copy_from_slice(&term.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::TermCounts;

    #[test]
    fn terms_are_counted_anew_for_each_text() {
        let mut terms = TermCounts::default();
        for text in [["b", "a", "b"], ["c", "c", "c"]] {
            terms.clear();
            for term in text {
                terms.push(term);
            }
            assert_eq!(terms.len(), 3);
            let expected: Vec<_> = if text[0] == "b" {
                vec![("a", 1), ("b", 2)]
            } else {
                vec![("c", 3)]
            };
            assert_eq!(terms.counted().collect::<Vec<_>>(), expected);
        }
    }
}
