//! Whether bytes from a file are a record that the readers of [`super::record`] can read.

use super::record::{
    HEADER_BYTES, RecordBytes, SECTION_CATEGORIES, SECTION_ENTITIES, SECTION_METADATA,
    SECTION_SOURCE_IDS, SECTIONS, TAG_FLOAT, TAG_INTEGER, TAG_TEXT, TAG_TEXTS,
};

impl RecordBytes {
    /// Whether all its sections are whole, their texts are texts, and nothing follows them.
    pub(crate) fn is_sound(&self) -> bool {
        let Some(sections) = self.as_bytes().get(HEADER_BYTES..) else {
            return false;
        };
        let mut rest = Rest(sections);
        let whole = (0..SECTIONS).all(|section| {
            let content = rest.section();
            content.is_some_and(|content| match section {
                SECTION_METADATA => all(content, |rest| rest.text() && rest.value()),
                SECTION_CATEGORIES | SECTION_ENTITIES | SECTION_SOURCE_IDS => is_texts(content),
                _ => is_text(content),
            })
        });
        whole && rest.0.is_empty()
    }
}

/// What has not been looked at yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        // Five digits of seven bits are more than any record needs.
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.take(1)?.first()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    fn section(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> bool {
        self.section().is_some_and(is_text)
    }

    fn value(&mut self) -> bool {
        match self.take(1) {
            Some(&[TAG_TEXT]) => self.text(),
            Some(&[TAG_INTEGER | TAG_FLOAT]) => self.take(8).is_some(),
            Some(&[TAG_TEXTS]) => self.section().is_some_and(is_texts),
            tag => tag.is_some(),
        }
    }
}

/// Whether bytes are items one after another.
fn all(bytes: &[u8], mut item: impl FnMut(&mut Rest<'_>) -> bool) -> bool {
    let mut rest = Rest(bytes);
    while !rest.0.is_empty() {
        if !item(&mut rest) {
            return false;
        }
    }
    true
}

fn is_texts(bytes: &[u8]) -> bool {
    all(bytes, |rest| rest.section().is_some_and(is_text))
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}
