//! What kinds that are told ask of whoever tells them: a token, and to keep measure.

use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Shorter tokens can be guessed through the API.
const MIN_TOKEN: usize = 8;
/// Reports per minute that are taken, where nothing is said.
const PER_MINUTE: u32 = 60;

/// Reads a token that others must show. `example` is the line to write.
pub fn token(fields: &mut Fields<'_>, key: &'static str, example: &str) -> Option<Text> {
    let token =
        fields.need_text(key, &format!("write a secret of at least {MIN_TOKEN} characters, e.g. `{example}`"))?;
    if token.value().len() < MIN_TOKEN {
        let message = format!("`{key}` has fewer than {MIN_TOKEN} characters");
        fields.error(token.span, Code::BadValue, message, "write a longer one, e.g. from `openssl rand -hex 16`");
        return None;
    }
    Some(token)
}

/// Reports per minute that are taken of one sender.
pub fn per_minute(fields: &mut Fields<'_>) -> u32 {
    let said = fields.integer("max_per_minute", 1..=100_000);
    said.and_then(|n| u32::try_from(n).ok()).unwrap_or(PER_MINUTE)
}

/// Compares in a time that depends on the length of `given` alone.
pub fn same(secret: &[u8], given: &[u8]) -> bool {
    let mut difference = secret.len() ^ given.len();
    for (i, byte) in given.iter().enumerate() {
        let other = secret.get(i % secret.len().max(1)).copied().unwrap_or(0);
        difference |= usize::from(byte ^ other);
        // Keeps the compiler from leaving the loop at the first difference.
        difference = std::hint::black_box(difference);
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_accepted() {
        assert!(same(b"0123456789", b"0123456789"));
        for wrong in ["", "0123456788", "012345678", "01234567890123456789", "01234567890"] {
            assert!(!same(b"0123456789", wrong.as_bytes()), "{wrong}");
        }
    }
}
