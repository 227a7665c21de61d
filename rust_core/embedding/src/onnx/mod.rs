//! Sentence encoders in ONNX form, run by the onnxruntime library.

mod session;

use std::path::Path;
use std::time::Instant;

use crate::tokenization::TextTokenizer;
use crate::unit::{not_finite, push_unit};
use crate::{Error, QueryModel};

use session::{Output, Session};

/// Larger batches are no faster on a core, and texts of like length waste less padding in small ones.
const BATCH: usize = 32;

/// How the vectors of the tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over the tokens of the text.
    Mean,
    /// That of the first token.
    Cls,
}

/// How an ONNX model is run.
#[derive(Clone, Debug)]
pub struct OnnxSettings {
    /// Longer texts are cut here.
    pub max_tokens: usize,
    /// Threads within one call.
    pub threads: usize,
    /// For a model that gives one vector per token.
    pub pooling: Pooling,
    /// Names the model in errors.
    pub title: String,
}

/// Texts to unit vectors through a tokenizer and an ONNX model.
///
/// Inputs of the model: `input_ids`, and perhaps `attention_mask` and `token_type_ids` (int64, shape (batch, tokens)).
/// Output: `sentence_embedding` or else the first one (any float type), of shape (batch, dimension), or
/// (batch, tokens, dimension) to be pooled.
pub struct OnnxModel {
    identity: String,
    dimension: usize,
    session: Session,
    tokenizer: TextTokenizer,
    settings: OnnxSettings,
}

impl OnnxModel {
    /// Opens a model and its tokenizer.
    ///
    /// `library` is the file of the onnxruntime library; the first one that is named in a process is used by all.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a file is not what it should be, [`Error::Unfit`] when the model's inputs or outputs
    /// are other ones, [`Error::Library`] when the library cannot be loaded.
    pub fn open(
        identity: &str,
        library: &Path,
        model: &Path,
        tokenizer: &Path,
        settings: OnnxSettings,
    ) -> Result<Self, Error> {
        let mut opened = Self {
            identity: identity.to_owned(),
            dimension: 0,
            session: Session::open(library, model, settings.threads)?,
            tokenizer: TextTokenizer::open(tokenizer, Some(settings.max_tokens), true)?,
            settings,
        };
        let ids = opened.tokenizer.encode(&[""])?;
        opened.dimension = opened.run(&[&ids[0]], |_, _| ())?;
        Ok(opened)
    }

    /// Runs one batch, tells the pooled row of each text, and returns their length.
    fn run(&self, batch: &[&[u32]], mut row: impl FnMut(usize, &[f64])) -> Result<usize, Error> {
        let tokens = batch.iter().map(|ids| ids.len()).max().unwrap_or(0).max(1);
        let mut ids = vec![i64::from(self.tokenizer.padding); batch.len() * tokens];
        let mut mask = vec![0_i64; ids.len()];
        for (text, encoded) in batch.iter().enumerate() {
            let start = text * tokens;
            for (position, id) in encoded.iter().enumerate() {
                ids[start + position] = i64::from(*id);
            }
            mask[start..start + encoded.len()].fill(1);
        }
        let output = self.session.run([batch.len(), tokens], &ids, &mask)?;
        let pool = Pool::new(&output, batch.len(), tokens)?;
        let mut pooled = vec![0.0; pool.dimension];
        for (text, encoded) in batch.iter().enumerate() {
            pool.row(text, encoded.len(), self.settings.pooling, &mut pooled);
            row(text, &pooled);
        }
        Ok(pool.dimension)
    }
}

impl QueryModel for OnnxModel {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed_all(&self, texts: &[&str], deadline: Option<Instant>) -> Result<Vec<f32>, Error> {
        let encoded = self.tokenizer.encode(texts)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&text| encoded[text].len());
        let mut vectors = vec![0.0; texts.len() * self.dimension];
        let mut unit = Vec::with_capacity(self.dimension);
        for (done, positions) in order.chunks(BATCH).enumerate() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let (done, texts) = (done * BATCH, texts.len());
                return Err(Error::Deadline(format!(
                    "the deadline passed after embedding {done} of {texts} texts"
                )));
            }
            let batch: Vec<&[u32]> = positions.iter().map(|&text| &*encoded[text]).collect();
            let mut failed = None;
            let found = self.run(&batch, |row, pooled| {
                unit.clear();
                let start = positions[row] * self.dimension;
                match push_unit(pooled, &mut unit) {
                    Some(()) if unit.len() == self.dimension => {
                        vectors[start..start + self.dimension].copy_from_slice(&unit);
                    }
                    _ => failed = failed.or(Some(positions[row])),
                }
            })?;
            if found != self.dimension {
                return Err(Error::Internal(format!(
                    "the model gave {found} components, and {} before",
                    self.dimension
                )));
            }
            if let Some(position) = failed {
                return Err(not_finite(&self.settings.title, position, texts.len()));
            }
        }
        Ok(vectors)
    }
}

/// The output of a batch, seen as one row per text.
struct Pool<'a> {
    values: &'a [f32],
    /// 1 if the model pooled itself.
    tokens: usize,
    dimension: usize,
    pools: bool,
}

impl<'a> Pool<'a> {
    fn new(output: &'a Output, texts: usize, tokens: usize) -> Result<Self, Error> {
        let (pools, given, dimension) = match *output.shape {
            [given, dimension] => (false, given, dimension),
            [given, of_tokens, dimension] if of_tokens == tokens => (true, given, dimension),
            _ => {
                return Err(Error::Unfit(format!(
                    "the model's output has the shape {:?} for {texts} texts of {tokens} tokens; accepted are \
                     (batch, dimension) and (batch, tokens, dimension)",
                    output.shape
                )));
            }
        };
        let tokens = if pools { tokens } else { 1 };
        if given != texts || dimension == 0 || output.values.len() != texts * tokens * dimension {
            return Err(Error::Unfit(format!(
                "the model's output has the shape {:?} for {texts} texts",
                output.shape
            )));
        }
        Ok(Self {
            values: &output.values,
            tokens,
            dimension,
            pools,
        })
    }

    /// The row of a text of `length` tokens.
    fn row(&self, text: usize, length: usize, pooling: Pooling, pooled: &mut [f64]) {
        let start = text * self.tokens * self.dimension;
        let own = &self.values[start..start + self.tokens * self.dimension];
        let mut rows = own.chunks_exact(self.dimension);
        if !self.pools || pooling == Pooling::Cls {
            // The first row is the only one, or the first token's.
            let first = rows.next().unwrap_or_default();
            for (value, component) in pooled.iter_mut().zip(first) {
                *value = f64::from(*component);
            }
            return;
        }
        pooled.fill(0.0);
        for row in rows.take(length) {
            for (sum, component) in pooled.iter_mut().zip(row) {
                *sum += f64::from(*component);
            }
        }
        let count = length.max(1) as f64;
        for sum in pooled {
            *sum /= count;
        }
    }
}
