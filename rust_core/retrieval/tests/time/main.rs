//! What times texts name. The reference time is Wednesday, 22 November 2023, 15:30 UTC, unless said.

mod any_text;
mod dates;
mod relative;
mod support;
