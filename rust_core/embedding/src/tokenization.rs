//! Texts to token ids with the model's own `tokenizer.json`.

use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use crate::Error;

/// What pads a batch in the usual tokenizers, if the file does not say.
const PADDING_TOKENS: [&str; 2] = ["[PAD]", "<pad>"];

/// A tokenizer that neither pads nor, without `max_tokens`, cuts.
pub(crate) struct TextTokenizer {
    tokenizer: Tokenizer,
    special_tokens: bool,
    /// The id that fills up a batch.
    pub(crate) padding: u32,
}

impl TextTokenizer {
    /// Opens a tokenizers file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is none; [`Error::Unfit`] when `max_tokens` has no room for its special tokens.
    pub(crate) fn open(
        path: &Path,
        max_tokens: Option<usize>,
        special_tokens: bool,
    ) -> Result<Self, Error> {
        let mut tokenizer = Tokenizer::from_file(path)
            .map_err(|error| Error::corrupt(path, format!("is no tokenizer file: {error}")))?;
        let padding = padding_id(&tokenizer);
        tokenizer.with_padding(None);
        let added = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        let truncation = max_tokens.map(|max_length| TruncationParams {
            max_length,
            ..TruncationParams::default()
        });
        if max_tokens.is_some_and(|max_tokens| max_tokens < added) {
            return Err(Error::Unfit(format!(
                "the tokenizer adds {added} tokens to a text, more than max_tokens"
            )));
        }
        tokenizer
            .with_truncation(truncation)
            .map_err(|error| Error::corrupt(path, format!("cannot cut texts: {error}")))?;
        Ok(Self {
            tokenizer,
            special_tokens,
            padding,
        })
    }

    /// The token ids of each text, in order; several texts are divided among the tokenizers library's threads.
    ///
    /// # Errors
    /// [`Error::Internal`] when the tokenizer fails.
    pub(crate) fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, Error> {
        let encodings = match texts {
            // One text is not worth waking those threads.
            [text] => self
                .tokenizer
                .encode_fast(*text, self.special_tokens)
                .map(|encoding| vec![encoding]),
            _ => self
                .tokenizer
                .encode_batch_fast(texts.to_vec(), self.special_tokens),
        };
        let encodings =
            encodings.map_err(|error| Error::Internal(format!("the tokenizer failed: {error}")))?;
        Ok(encodings
            .iter()
            .map(|encoding| encoding.get_ids().to_vec())
            .collect())
    }
}

fn padding_id(tokenizer: &Tokenizer) -> u32 {
    if let Some(configured) = tokenizer.get_padding() {
        return configured.pad_id;
    }
    PADDING_TOKENS
        .iter()
        .find_map(|token| tokenizer.token_to_id(token))
        .unwrap_or(0)
}
