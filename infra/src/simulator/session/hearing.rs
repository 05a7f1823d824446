//! PURE. The words of a voice while they are recognised: pieces of the open turn, and turns that have ended and wait for
//! their words. Turns keep their order, and none waits for longer than the limit. One piece is recognised at a time, and
//! one that has been replaced before its time comes is not.

use std::{collections::VecDeque, time::Duration};

/// Real time that a turn waits for its words after its end.
pub(in crate::simulator) const WORDS_LIMIT: Duration = Duration::from_secs(3);

/// A turn with what was understood of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeardTurn {
    /// `None` when it was not understood.
    pub(super) words: Option<String>,
    /// Length of the voice.
    pub(super) ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Hearing {
    open: Vec<Piece>,
    ended: VecDeque<EndedTurn>,
    waiting: VecDeque<Request>,
    /// The piece that is being recognised.
    running: Option<u32>,
}

/// A piece to recognise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) id: u32,
    pub(super) samples: Vec<i16>,
}

#[derive(Debug)]
struct EndedTurn {
    pieces: Vec<Piece>,
    ms: u64,
    until: Duration,
}

#[derive(Debug)]
struct Piece {
    id: u32,
    /// The turn may go on: then a longer piece replaces this one.
    provisional: bool,
    words: Words,
}

#[derive(Debug)]
enum Words {
    Pending,
    Unknown,
    Known(String),
}

impl Hearing {
    /// A piece of the open turn is to be recognised. A provisional one is replaced by the next.
    pub(super) fn add(&mut self, request: Request, provisional: bool) {
        if let Some(replaced) = self.open.pop_if(|last| last.provisional) {
            self.waiting.pop_back_if(|last| last.id == replaced.id);
        }
        self.open.push(Piece { id: request.id, provisional, words: Words::Pending });
        self.waiting.push_back(request);
    }

    /// The next piece to recognise, once none is being recognised.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        if self.running.is_some() {
            return None;
        }
        let request = self.waiting.pop_front()?;
        self.running = Some(request.id);
        Some(request)
    }

    /// The open turn is over, with `ms` of a voice; it waits for its words `until` then.
    pub(super) fn end_turn(&mut self, ms: u64, until: Duration) {
        self.ended.push_back(EndedTurn { pieces: std::mem::take(&mut self.open), ms, until });
    }

    /// The open turn needs no words.
    pub(super) fn forget_open(&mut self) {
        for piece in self.open.drain(..) {
            self.waiting.retain(|request| request.id != piece.id);
        }
    }

    /// The words of a piece; `None` when they could not be recognised.
    pub(super) fn recognised(&mut self, id: u32, words: Option<String>) {
        self.running.take_if(|running| *running == id);
        let mut pieces = self.ended.iter_mut().flat_map(|turn| &mut turn.pieces).chain(&mut self.open);
        if let Some(piece) = pieces.find(|piece| piece.id == id) {
            piece.words = words.map_or(Words::Unknown, Words::Known);
        }
    }

    /// The next turn whose words are known, or that has waited for too long.
    pub(super) fn take(&mut self, now: Duration) -> Option<HeardTurn> {
        let turn =
            self.ended.pop_front_if(|turn| turn.until <= now || turn.pieces.iter().all(Piece::is_done))?;
        let words: Option<Vec<String>> = turn.pieces.into_iter().map(|piece| piece.words.known()).collect();
        let words = words.map(|words| words.join(" ").trim().to_owned()).filter(|words| !words.is_empty());
        Some(HeardTurn { words, ms: turn.ms })
    }

    /// Whether a turn waits for its words.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ended.is_empty()
    }

    /// When [`Hearing::take`] gives up on the next turn.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.ended.front().map(|turn| turn.until)
    }
}

impl Piece {
    fn is_done(&self) -> bool {
        !matches!(self.words, Words::Pending)
    }
}

impl Words {
    fn known(self) -> Option<String> {
        match self {
            Self::Known(words) => Some(words),
            Self::Pending | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(9);

    fn piece(id: u32) -> Request {
        Request { id, samples: vec![] }
    }

    fn understood(words: &str) -> Option<HeardTurn> {
        Some(HeardTurn { words: Some(words.to_owned()), ms: 700 })
    }

    #[test]
    fn longer_piece_replaces_a_provisional_one_and_pieces_are_joined() {
        let mut hearing = Hearing::default();
        hearing.add(piece(1), false);
        hearing.add(piece(2), true);
        hearing.recognised(2, Some("I see".to_owned()));
        hearing.add(piece(3), true);
        hearing.end_turn(700, LATER);
        hearing.recognised(3, Some("I see a dog.".to_owned()));
        hearing.recognised(2, Some("late".to_owned()));
        assert_eq!(hearing.take(Duration::ZERO), None);
        hearing.recognised(1, Some("Well,".to_owned()));
        assert_eq!(hearing.take(Duration::ZERO), understood("Well, I see a dog."));
    }

    #[test]
    fn turns_keep_their_order_and_wait_until_their_limit() {
        let mut hearing = Hearing::default();
        hearing.add(piece(1), true);
        hearing.end_turn(700, LATER);
        hearing.add(piece(2), true);
        hearing.end_turn(700, LATER * 2);
        hearing.recognised(2, Some("Second.".to_owned()));
        assert_eq!((hearing.take(Duration::ZERO), hearing.deadline()), (None, Some(LATER)));
        assert_eq!(hearing.take(LATER), Some(HeardTurn { words: None, ms: 700 }));
        assert_eq!(hearing.take(LATER), understood("Second."));
        assert!(!hearing.is_waiting());
    }

    #[test]
    fn one_piece_is_recognised_at_a_time_and_a_replaced_one_is_not() {
        let mut hearing = Hearing::default();
        hearing.add(piece(1), true);
        assert_eq!(hearing.next_request(), Some(piece(1)));
        hearing.add(piece(2), true);
        hearing.add(piece(3), false);
        hearing.add(piece(4), true);
        assert_eq!(hearing.next_request(), None);
        for next in [3, 4] {
            hearing.recognised(next - 1, None);
            hearing.recognised(1, None);
            assert_eq!(hearing.next_request(), Some(piece(next)));
            hearing.recognised(next, Some("word".to_owned()));
        }
        hearing.add(piece(5), true);
        hearing.forget_open();
        assert_eq!(hearing.next_request(), None);
    }

    #[test]
    fn failed_or_empty_recognition_is_not_understood() {
        for words in [None, Some(" ".to_owned())] {
            let mut hearing = Hearing::default();
            hearing.add(piece(1), true);
            hearing.recognised(1, words);
            hearing.end_turn(700, LATER);
            assert_eq!(hearing.take(Duration::ZERO), Some(HeardTurn { words: None, ms: 700 }));
        }
    }
}
