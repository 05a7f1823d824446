//! PURE. The transcript of a turn, in blocks as Nova Sonic sends them.

use crate::simulator::audible::Heard;

/// Longest transcript block, in characters; a longer transcript comes in several blocks.
const USER_CHUNK_CHARS: usize = 80;

/// The words of a piece of audio, or what is known of it.
pub(super) fn transcript(heard: &Heard) -> String {
    match heard {
        Heard::Text(text) | Heard::Damaged { text } => text.clone(),
        Heard::Unreadable { ms } => {
            format!("[{}.{} seconds of speech that the simulator cannot read]", ms / 1000, ms % 1000 / 100)
        }
    }
}

/// `text` cut at single spaces into pieces of about [`USER_CHUNK_CHARS`].
pub(super) fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while let Some((limit, _)) = rest.char_indices().nth(USER_CHUNK_CHARS) {
        let Some(space) = rest[..limit].rfind(' ').filter(|&space| space > 0) else {
            break;
        };
        chunks.push(&rest[..space]);
        rest = &rest[space + 1..];
    }
    chunks.push(rest);
    chunks
}
