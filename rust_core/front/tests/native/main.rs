//! Native answers to requests made by hand: what is certain is answered, everything else is left to the relay.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the parts of these messages may be absent"
)]

mod embedding;
mod reads;
mod searches;
mod support;
