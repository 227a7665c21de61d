//! The quick model: the mean of static token vectors.

use std::path::Path;
use std::time::Instant;

use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::{Dtype, SafeTensors};

use crate::tokenization::TextTokenizer;
use crate::unit::{not_finite, push_unit};
use crate::{Error, QueryModel};

/// The name of the table in its file.
const TABLE: &str = "embedding.weight";
/// Bounds the memory of what the tokenizer returns.
const BATCH: usize = 64;

/// A table of token vectors (`WordLlama`): a text's vector is the mean of its tokens' rows, scaled to length 1.
///
/// A text without tokens (the empty one) gets the first basis vector; there is no longest text.
pub struct StaticModel {
    identity: String,
    /// Row after row; float16 as published: half the memory, and only the rows in use are widened.
    table: Vec<f16>,
    dimension: usize,
    tokenizer: TextTokenizer,
}

impl StaticModel {
    /// Opens a table and its tokenizer.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a file is not what it should be.
    pub fn open(identity: &str, table: &Path, tokenizer: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(table)
            .map_err(|error| Error::corrupt(table, format!("cannot be read: {error}")))?;
        let (table, dimension) =
            read_table(&bytes).map_err(|message| Error::corrupt(table, message))?;
        Ok(Self {
            identity: identity.to_owned(),
            table,
            dimension,
            tokenizer: TextTokenizer::open(tokenizer, None, false)?,
        })
    }

    /// The sum of the rows in float32, in the order of the tokens. It points where the mean does.
    fn sum(&self, ids: &[u32], widened: &mut [f32], sums: &mut [f32]) -> Result<(), Error> {
        sums.fill(0.0);
        for &id in ids {
            let start = id as usize * self.dimension;
            let row = self
                .table
                .get(start..start + self.dimension)
                .ok_or_else(|| Error::Internal(format!("the token {id} is not in the table")))?;
            row.convert_to_f32_slice(widened);
            for (sum, value) in sums.iter_mut().zip(&*widened) {
                *sum += value;
            }
        }
        Ok(())
    }
}

impl QueryModel for StaticModel {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn is_quick(&self) -> bool {
        true
    }

    /// See [`QueryModel::embed_all`]; it is done before any deadline could pass.
    fn embed_all(&self, texts: &[&str], _deadline: Option<Instant>) -> Result<Vec<f32>, Error> {
        let mut vectors = Vec::with_capacity(texts.len() * self.dimension);
        let mut widened = vec![0.0; self.dimension];
        let mut sums = vec![0.0; self.dimension];
        let mut wide = vec![0.0; self.dimension];
        for batch in texts.chunks(BATCH) {
            for ids in self.tokenizer.encode(batch)? {
                self.sum(&ids, &mut widened, &mut sums)?;
                for (wide, sum) in wide.iter_mut().zip(&sums) {
                    *wide = f64::from(*sum);
                }
                let position = vectors.len() / self.dimension;
                push_unit(&wide, &mut vectors)
                    .ok_or_else(|| not_finite("static", position, texts.len()))?;
            }
        }
        Ok(vectors)
    }
}

/// The float16 values of the table and the length of a row.
fn read_table(bytes: &[u8]) -> Result<(Vec<f16>, usize), String> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("is no safetensors file: {error}"))?;
    let table = tensors
        .tensor(TABLE)
        .map_err(|error| format!("has no {TABLE}: {error}"))?;
    match (table.dtype(), table.shape()) {
        (Dtype::F16, &[_, dimension]) if dimension > 0 => {
            let values = table
                .data()
                .chunks_exact(2)
                .map(|pair| f16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            Ok((values, dimension))
        }
        (dtype, shape) => Err(format!(
            "has a table of {dtype:?} and shape {shape:?}; needed is F16 and (tokens, dimension)"
        )),
    }
}
