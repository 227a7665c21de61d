//! Texts of natural conversations, and pseudo-random numbers.

const CONVERSATION: &str = include_str!("../../../../examples/conversation/conversation.jsonl");

/// Pseudo-random numbers (xorshift), the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end
    }
}

/// Speakers and what they said.
pub(crate) fn turns() -> Vec<(&'static str, Vec<&'static str>)> {
    let field = |line: &'static str, name: &str, end: &str| {
        let start = line.find(name).expect("the field is there") + name.len();
        let length = line[start..].find(end).expect("the field ends");
        &line[start..start + length]
    };
    CONVERSATION
        .lines()
        .map(|line| {
            let body = field(line, "\"body\": \"", "\"}");
            (
                field(line, "\"name\": \"", "\""),
                body.split_whitespace().collect(),
            )
        })
        .collect()
}
