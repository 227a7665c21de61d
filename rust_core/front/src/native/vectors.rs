//! The vectors of queries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mnemic_embedding::{Error, QueryEmbedder};

use crate::refusal::{Reason, Refusal};

/// The unit vector of a text as little-endian `f32`. None: relay, for Python says what becomes of it.
pub(super) type Embedded = Result<Option<Arc<[u8]>>, Refusal>;

/// A vector scaled to unit length, as `mnemic.engine.validation.check_vector` does it: the norm and the quotients are
/// taken in `f64`. None if it has another dimension or no direction.
pub(super) fn unit(bytes: &[u8], dimension: usize) -> Option<Arc<[u8]>> {
    let (elements, rest) = bytes.as_chunks::<4>();
    if elements.len() != dimension || !rest.is_empty() {
        return None;
    }
    let value = |element: &[u8; 4]| f64::from(f32::from_le_bytes(*element));
    // Several sums, so that one addition need not wait for the other.
    let mut sums = [0.0; 8];
    let (chunks, tail) = elements.as_chunks::<8>();
    for chunk in chunks {
        for (sum, element) in sums.iter_mut().zip(chunk) {
            *sum += value(element) * value(element);
        }
    }
    let tail: f64 = tail.iter().map(|element| value(element).powi(2)).sum();
    let norm = (sums.iter().sum::<f64>() + tail).sqrt();
    if !norm.is_finite() || norm == 0.0 {
        return None;
    }
    let scaled = elements
        .iter()
        .flat_map(|element| ((value(element) / norm) as f32).to_le_bytes());
    let mut unit = Vec::with_capacity(bytes.len());
    unit.extend(scaled);
    Some(unit.into())
}

/// Embeds a text that the cache does not hold.
pub(super) async fn embed(
    embedder: &QueryEmbedder,
    text: &str,
    deadline: Option<Instant>,
) -> Embedded {
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nobody listens any more when the caller has gone away.
    embedder.embed(text, deadline, move |answer| drop(tell.send(answer)));
    match told.await {
        Ok(Ok(vector)) => Ok(Some(vector)),
        Ok(Err(error)) => refusal(&error).map_or(Ok(None), Err),
        Err(_) => Ok(None),
    }
}

/// What the caller hears where Python's own embedder would say the same.
fn refusal(error: &Error) -> Option<Refusal> {
    let delay = Duration::from_micros(Error::RETRY_AFTER_MICROS.unsigned_abs());
    match error {
        Error::Overloaded => {
            Some(Refusal::new(Reason::Overloaded, error.to_string()).retry_after(delay))
        }
        Error::Deadline(_) => Some(Refusal::new(Reason::DeadlineExceeded, error.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::unit;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    #[test]
    fn a_vector_is_scaled_whatever_its_length() {
        for scale in [1.0, f32::exp2(-120.0), f32::exp2(120.0), -4.0] {
            let given: Vec<f32> = [3.0, 4.0].iter().map(|value| value * scale).collect();
            let sign = scale.signum();
            let expected = bytes(&[0.6 * sign, 0.8 * sign]);
            assert_eq!(unit(&bytes(&given), 2).as_deref(), Some(&expected[..]));
        }
    }

    #[test]
    fn a_vector_without_direction_or_of_another_dimension_is_none() {
        assert!(unit(&bytes(&[0.0, 0.0]), 2).is_none());
        assert!(unit(&bytes(&[f32::NAN, 1.0]), 2).is_none());
        assert!(unit(&bytes(&[f32::INFINITY, 1.0]), 2).is_none());
        assert!(unit(&bytes(&[1.0, 0.0]), 3).is_none());
        assert!(unit(&bytes(&[1.0, 0.0])[..7], 2).is_none());
        assert!(unit(&[], 2).is_none());
    }
}
