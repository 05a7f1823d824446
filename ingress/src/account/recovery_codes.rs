//! Recovery codes: a learner who has lost the second factor signs in with the password and one of them. The user pool has none, so
//! the service keeps their hashes in the learner's record, and turns the second factor off in the pool when one is used.
//!
//! A code has 120 random bits, so that one SHA-256 without salt protects it: look-up secrets of 112 bits and more need no more
//! (NIST SP 800-63B, section 5.1.2.2).

use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Codes of a learner.
pub const CODES: usize = 10;

/// Length of a code without its hyphens.
const LETTERS: usize = 24;

/// Letters between two hyphens.
const GROUP: usize = 4;

/// Longest text that is read as a code, in bytes.
pub const TEXT_BYTES_MAX: usize = 64;

/// Crockford's base 32: no I, L, O and U, which look like others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// New codes, as a learner reads them.
///
/// # Errors
/// The system has no random numbers.
pub fn generate() -> anyhow::Result<Vec<SecretString>> {
    (0..CODES)
        .map(|_| {
            let mut random = [0; LETTERS];
            SystemRandom::new().fill(&mut random).map_err(|_| anyhow::anyhow!("no random numbers"))?;
            let letters = random.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
            let groups = letters.chunks(GROUP).map(|group| group.iter().collect::<String>());
            Ok(groups.collect::<Vec<_>>().join("-").into())
        })
        .collect()
}

/// The stored form of a code.
#[must_use]
pub fn hash(code: &SecretString) -> String {
    let letters: String = code.expose_secret().chars().filter(|letter| *letter != '-').collect();
    hex::encode(Sha256::digest(letters))
}

/// The code in a text as people type it: in any case, with or without hyphens and spaces, and with letters that look like others.
#[must_use]
pub fn read(text: &str) -> Option<SecretString> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let letters = letters.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let letters: String = letters.collect();
    let is_code = letters.len() == LETTERS && letters.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then(|| letters.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn code_is_read_as_it_is_typed_and_hashed_in_one_form() {
        let codes = generate().unwrap();
        let hashes: BTreeSet<String> = codes.iter().map(hash).collect();
        assert_eq!(hashes.len(), CODES);
        for code in &codes {
            let shown = code.expose_secret();
            assert_eq!(shown.len(), LETTERS + LETTERS / GROUP - 1);
            let bare = shown.replace('-', "");
            let mistaken = shown.replace('0', "o").replace('1', "l");
            for typed in
                [shown, &shown.to_lowercase(), &format!(" {bare}\n"), &bare.to_lowercase(), &mistaken]
            {
                assert_eq!(hash(&read(typed).unwrap()), hash(code), "{typed}");
            }
        }
        let long = "0".repeat(TEXT_BYTES_MAX + 1);
        for none in ["", "123456", "0000-0000-0000-0000-0000-000", "U000-0000-0000-0000-0000-0000", &long] {
            assert!(read(none).is_none(), "{none}");
        }
    }
}
