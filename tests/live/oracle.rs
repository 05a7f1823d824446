//! The expected transcript of a conversation: word for word what was said and heard.
//!
//! The learner's turns are the lines that were said, each once, in order. The tutor's turns together are what the
//! loudspeaker played: every sentence that was heard to its end, once, in order, and nothing else. Where a sentence was
//! cut, the transcript has its first words: those that were heard, and at most the word in which it was cut. If the model
//! cut it, at most one of the words that were heard is missing. After the loss of a stream, or when the client interrupts,
//! the service knows only how many milliseconds were played, and estimates the number of words from below. What was heard
//! before a line is before it, and what was heard after it is after it. Only while the client was disconnected may the
//! transcript have words of the tutor that were not heard.

use std::collections::HashSet;

use anyhow::{Context as _, ensure};
use events::{
    contract::{Speaker, Turn},
    journal::Conversation,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::loudspeaker::{Piece, PieceKind};

/// A line of the learner.
#[derive(Clone, Debug)]
pub(crate) struct SpokenLine {
    pub(crate) text: String,
    pub(crate) began: Instant,
    /// When its last sample was recorded.
    pub(crate) ended: Option<Instant>,
}

/// Compares a transcript with what was said and heard.
pub(crate) fn check_words(turns: &[Turn], said: &[SpokenLine], pieces: &[Piece]) -> anyhow::Result<()> {
    ensure!(turns.iter().zip(0..).all(|(turn, n)| turn.index == n), "the turns have gaps");
    let learner: Vec<&Turn> = turns.iter().filter(|turn| turn.speaker == Speaker::Learner).collect();
    let texts: Vec<&str> = learner.iter().map(|turn| turn.text.as_str()).collect();
    let lines: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    ensure!(texts == lines, "{lines:?} was said, and {texts:?} is in the transcript");
    for piece in pieces {
        ensure!(!matches!(piece.kind, PieceKind::Damaged(_)), "the audio of the tutor is damaged: {piece:?}");
    }
    let lines = said.iter().zip(&learner).map(|(said, turn)| (said, turn.index)).collect();
    let tutor = turns.iter().filter(|turn| turn.speaker == Speaker::Tutor);
    let words = tutor.flat_map(|turn| turn.text.split_whitespace().map(|word| (word, turn.index))).collect();
    let mut matching = Matching { words, pieces, lines, failed: HashSet::new(), furthest: (0, 0) };
    if matching.fits(0, 0) {
        return Ok(());
    }
    let (piece, word) = matching.furthest;
    let heard: Vec<&PieceKind> = pieces.iter().map(|piece| &piece.kind).collect();
    anyhow::bail!(
        "{heard:#?} was heard; from piece {piece} on it is not in the transcript from word {word} on"
    )
}

/// Checks that there is one completion, with the number of turns of the journal.
pub(crate) fn check_completion(journal: &Conversation, completed: &[Value]) -> anyhow::Result<()> {
    ensure!(completed.len() == 1, "{} completions", completed.len());
    let data = &completed[0]["data"];
    let turns = data["turns"].as_u64().context("a completion without turns")?;
    ensure!(
        turns == journal.turns.len() as u64,
        "the completion has {turns} turns instead of {}",
        journal.turns.len()
    );
    Ok(())
}

struct Matching<'a> {
    /// The tutor's words with their turns.
    words: Vec<(&'a str, u32)>,
    pieces: &'a [Piece],
    /// The learner's lines with their turns.
    lines: Vec<(&'a SpokenLine, u32)>,
    failed: HashSet<(usize, usize)>,
    furthest: (usize, usize),
}

impl Matching<'_> {
    /// Whether the pieces from `piece` on are the words from `word` on.
    fn fits(&mut self, piece: usize, word: usize) -> bool {
        self.furthest = self.furthest.max((piece, word));
        let Some(next) = self.pieces.get(piece) else { return word == self.words.len() };
        if self.failed.contains(&(piece, word)) {
            return false;
        }
        let left = self.words.len() - word;
        let fits = match &next.kind {
            PieceKind::Sentence(text) => {
                let count = text.split_whitespace().count();
                self.stands(next, text, count, word) && self.fits(piece + 1, word + count)
            }
            PieceKind::Last(text) => {
                let most = text.split_whitespace().count();
                (0..=most)
                    .rev()
                    .any(|count| self.stands(next, text, count, word) && self.fits(piece + 1, word + count))
            }
            PieceKind::Beginning { heard, planned, reported } => {
                let whole = heard.split_inclusive(' ').filter(|part| part.ends_with(' ')).count();
                let most = (whole + 1).min(planned.split_whitespace().count());
                let least = if *reported { whole.saturating_sub(1) } else { 0 };
                (least..=most).rev().any(|count| {
                    self.stands(next, planned, count, word) && self.fits(piece + 1, word + count)
                })
            }
            PieceKind::Gap => (0..=left).any(|count| self.fits(piece + 1, word + count)),
            PieceKind::Damaged(_) => false,
        };
        if !fits {
            self.failed.insert((piece, word));
        }
        fits
    }

    /// Whether the first `count` words of `text` are at `word`, in one turn and on the right side of every line.
    fn stands(&self, piece: &Piece, text: &str, count: usize, word: usize) -> bool {
        let Some(there) = self.words.get(word..word + count) else { return false };
        let Some((_, turn)) = there.first() else { return true };
        let same =
            text.split_whitespace().zip(there).all(|(ours, (theirs, of))| ours == *theirs && of == turn);
        same && self.lines.iter().all(|(said, line)| {
            let before = piece.over < said.began;
            let after = said.ended.is_some_and(|ended| piece.arrived > ended);
            (!before || turn < line) && (!after || turn > line)
        })
    }
}
