//! PURE. The tutor's turn in progress: what the tutor planned to say, what it said, and how much of it was played. Sonic
//! announces each sentence (SPECULATIVE), sends its audio, and later reports what was spoken (FINAL).

use events::contract::live::BYTES_PER_MS;

/// Longest recording of one tutor turn, in milliseconds. The rest is played but not recorded.
pub(super) const TURN_AUDIO_MS_MAX: u64 = 120_000;

/// Most sentences in one turn. Further words are added to the last one.
pub(super) const SENTENCES_MAX: usize = 200;

/// Longest text of one turn, in bytes.
pub(super) const TURN_TEXT_BYTES_MAX: usize = 32 * 1024;

/// A sentence counts as played to its end if at most this much of it is missing, in milliseconds.
pub(super) const PLAYED_TOLERANCE_MS: u64 = 100;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct TutorTurn {
    sentences: Vec<Sentence>,
    /// The sentence of the open FINAL block.
    speaking: Option<usize>,
    audio: Vec<u8>,
    produced_bytes: u64,
    /// The last audio block of the turn has ended.
    pub(super) audio_over: bool,
    /// The turn was cut short.
    pub(super) cut: Option<Cut>,
}

#[derive(Clone, Debug, Default)]
struct Sentence {
    planned: String,
    spoken: Option<String>,
    /// Audio of the turn when the sentence ended, in bytes.
    until_bytes: u64,
    /// Its audio is complete.
    whole: bool,
}

/// How a turn was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Time of the cut, in milliseconds of the conversation.
    pub(super) at_ms: u64,
    /// What reported it.
    pub(super) by: CutBy,
    /// How much was played by the play-out clock, in milliseconds of the turn.
    pub(super) heard_ms: u64,
    /// The model has reported what was spoken.
    pub(super) confirmed: bool,
}

/// What reported that a turn was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CutBy {
    /// The model: its FINAL texts are what was spoken.
    Model,
    /// The client, while the model continues: only what was played counts.
    Learner,
    /// The loss of the stream: the client continues to play the audio that it has.
    Loss,
}

impl TutorTurn {
    /// A planned sentence begins; the one before it ends.
    pub(super) fn plan(&mut self) {
        self.sentence_over();
        if self.sentences.len() < SENTENCES_MAX {
            self.sentences.push(Sentence { until_bytes: self.produced_bytes, ..Sentence::default() });
        }
    }

    /// Words of the planned sentence.
    pub(super) fn planned(&mut self, text: &str) {
        let room = self.text_room();
        if let Some(sentence) = self.sentences.last_mut() {
            push_words(&mut sentence.planned, text, room);
        }
    }

    /// A FINAL block begins, of the first sentence that has none.
    pub(super) fn speak(&mut self) {
        let next = self.sentences.iter().position(|sentence| sentence.spoken.is_none());
        if next.is_none() {
            self.plan();
        }
        let index = next.unwrap_or_else(|| self.sentences.len().saturating_sub(1));
        self.speaking = Some(index);
        if let Some(sentence) = self.sentences.get_mut(index) {
            sentence.spoken.get_or_insert_default();
        }
    }

    /// Words of the FINAL block.
    pub(super) fn spoken(&mut self, text: &str) {
        let room = self.text_room();
        let sentence = self.speaking.and_then(|index| self.sentences.get_mut(index));
        if let Some(sentence) = sentence {
            push_words(sentence.spoken.get_or_insert_default(), text, room);
        }
    }

    /// The FINAL block ends. Returns whether it had words.
    pub(super) fn spoken_to_end(&mut self) -> bool {
        let sentence = self.speaking.take().and_then(|index| self.sentences.get(index));
        sentence.and_then(|sentence| sentence.spoken.as_ref()).is_some_and(|words| !words.is_empty())
    }

    /// The open FINAL block was a marker without words.
    pub(super) fn unspeak(&mut self) {
        let sentence = self.speaking.take().and_then(|index| self.sentences.get_mut(index));
        if let Some(sentence) = sentence {
            sentence.spoken.take_if(|words| words.is_empty());
        }
    }

    /// Samples of the turn.
    pub(super) fn produce(&mut self, pcm: &[u8]) {
        self.produced_bytes += pcm.len() as u64;
        if let Some(sentence) = self.sentences.last_mut() {
            sentence.until_bytes = self.produced_bytes;
        }
        if self.audio.len() as u64 + pcm.len() as u64 <= TURN_AUDIO_MS_MAX * BYTES_PER_MS {
            self.audio.extend_from_slice(pcm);
        }
    }

    /// The audio of the sentence ends. After a cut it does not count as complete, because audio may have been discarded.
    pub(super) fn sentence_over(&mut self) {
        if let Some(sentence) = self.sentences.last_mut().filter(|_| self.cut.is_none()) {
            sentence.whole = true;
        }
    }

    /// The model has broken off: the end of the audio does not mean that the last sentence was said to its end. Only its FINAL
    /// text says so.
    pub(super) fn broken_off(&mut self) {
        if let Some(sentence) = self.sentences.last_mut().filter(|sentence| sentence.spoken.is_none()) {
            sentence.whole = false;
        }
    }

    /// Audio produced, in milliseconds.
    #[must_use]
    pub(super) fn produced_ms(&self) -> u64 {
        self.produced_bytes / BYTES_PER_MS
    }

    /// Everything planned was spoken, and the last audio block has ended.
    #[must_use]
    pub(super) fn is_complete(&self) -> bool {
        self.audio_over && self.speaking.is_none() && self.unspoken() == 0
    }

    /// Planned sentences without a FINAL text.
    #[must_use]
    pub(super) fn unspoken(&self) -> usize {
        self.sentences.iter().filter(|sentence| sentence.spoken.is_none()).count()
    }

    /// What was said in the first `heard_ms` of the turn: the FINAL text if there is one and the client did not report the
    /// cut; otherwise the sentences that were played to their end, and the played share of the words of a sentence that the
    /// client cut short.
    #[must_use]
    pub(super) fn text(&self, heard_ms: u64) -> String {
        let trusted = self.cut.is_none_or(|cut| cut.by != CutBy::Learner);
        let pace = self.pace();
        let mut said: Vec<String> = Vec::new();
        let mut from_ms = 0;
        for sentence in &self.sentences {
            let until_ms = sentence.until_bytes / BYTES_PER_MS;
            let words = sentence.spoken.as_deref().unwrap_or(&sentence.planned);
            let played = until_ms > from_ms && until_ms <= heard_ms + PLAYED_TOLERANCE_MS;
            if trusted && sentence.spoken.is_some() {
                said.push(words.trim().to_owned());
            } else if !sentence.whole {
                said.push(pace.words(words, until_ms.min(heard_ms).saturating_sub(from_ms)));
            } else if played {
                said.push(words.trim().to_owned());
            } else if !trusted && heard_ms > from_ms {
                said.push(share(words, heard_ms - from_ms, until_ms - from_ms));
            }
            from_ms = until_ms;
        }
        said.retain(|words| !words.is_empty());
        said.join(" ")
    }

    /// Takes the recording of the turn, PCM s16le.
    #[must_use]
    pub(super) fn take_audio(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.audio)
    }

    /// The rate of speech of this turn.
    fn pace(&self) -> Pace {
        let mut pace = Pace { ms: 0, bytes: 0 };
        let mut from_ms = 0;
        for sentence in &self.sentences {
            let until_ms = sentence.until_bytes / BYTES_PER_MS;
            if sentence.whole {
                pace.ms += until_ms - from_ms;
                pace.bytes += sentence.planned.len() as u64;
            }
            from_ms = until_ms;
        }
        if pace.bytes == 0 { Pace::USUAL } else { pace }
    }

    fn text_room(&self) -> usize {
        let used: usize = self
            .sentences
            .iter()
            .map(|sentence| sentence.planned.len().max(sentence.spoken.as_ref().map_or(0, String::len)))
            .sum();
        TURN_TEXT_BYTES_MAX.saturating_sub(used)
    }
}

/// A rate of speech: bytes of text per milliseconds of audio.
#[derive(Clone, Copy, Debug)]
struct Pace {
    ms: u64,
    bytes: u64,
}

impl Pace {
    /// About 150 words a minute.
    const USUAL: Self = Self { ms: 66, bytes: 1 };

    /// The words of `text` that are complete after `ms`.
    fn words(self, text: &str, ms: u64) -> String {
        let bytes = usize::try_from(self.bytes * ms / self.ms.max(1)).unwrap_or(usize::MAX);
        if bytes >= text.len() {
            return text.trim().to_owned();
        }
        let said = &text[..text.floor_char_boundary(bytes)];
        said.rfind(char::is_whitespace).map_or_else(String::new, |end| said[..end].trim().to_owned())
    }
}

/// Adds as much of `text` as there is room for.
pub(super) fn push_words(words: &mut String, text: &str, room: usize) {
    words.push_str(&text[..text.floor_char_boundary(room.min(text.len()))]);
}

/// The first words of `text`, in the proportion of `part` to `whole`.
fn share(text: &str, part: u64, whole: u64) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.len() as u64 * part.min(whole) / whole.max(1);
    words.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce(turn: &mut TutorTurn, ms: u64) {
        for _ in 0..ms {
            turn.produce(&[0; 32]);
        }
    }

    fn two_sentences() -> TutorTurn {
        let mut turn = TutorTurn::default();
        for planned in ["One two three four.", "Five six seven eight."] {
            turn.plan();
            turn.planned(planned);
            produce(&mut turn, 1_000);
            turn.sentence_over();
        }
        turn
    }

    fn speak(turn: &mut TutorTurn, text: &str) {
        turn.speak();
        turn.spoken(text);
        assert!(turn.spoken_to_end());
    }

    #[test]
    fn a_turn_is_complete_when_all_was_spoken_and_the_audio_is_over() {
        let mut turn = two_sentences();
        speak(&mut turn, "One two three four.");
        turn.audio_over = true;
        assert!(!turn.is_complete());
        turn.speak();
        assert!(!turn.is_complete());
        turn.spoken("Five six seven eight.");
        assert!(turn.spoken_to_end());
        assert!(turn.is_complete());
        assert_eq!(turn.text(2_000), "One two three four. Five six seven eight.");
    }

    #[test]
    fn of_a_sentence_that_lost_its_stream_the_words_count_that_were_given_out() {
        let mut turn = TutorTurn::default();
        turn.plan();
        turn.planned("One two three four.");
        produce(&mut turn, 1_000);
        let cut = Some(Cut { at_ms: 0, by: CutBy::Loss, heard_ms: 1_000, confirmed: true });
        let broken = TutorTurn { cut, ..turn.clone() };
        // 15 bytes at the usual pace.
        assert_eq!(broken.text(1_000), "One two three");
        turn.sentence_over();
        turn.cut = cut;
        assert_eq!(turn.text(1_000), "One two three four.");
    }

    #[test]
    fn a_sentence_whose_audio_was_broken_off_was_not_said_to_its_end() {
        for by in [CutBy::Model, CutBy::Learner] {
            let mut turn = TutorTurn::default();
            turn.plan();
            turn.planned("One two three four.");
            produce(&mut turn, 500);
            turn.cut = Some(Cut { at_ms: 0, by, heard_ms: 400, confirmed: false });
            turn.sentence_over();
            // 6 bytes at the usual pace.
            assert_eq!(turn.text(400), "One", "{by:?}");
        }
    }

    #[test]
    fn cut_by_the_model_its_final_text_counts_and_what_was_not_spoken_does_not() {
        let mut turn = two_sentences();
        turn.cut = Some(Cut { at_ms: 0, by: CutBy::Model, heard_ms: 700, confirmed: true });
        speak(&mut turn, "One two three");
        assert_eq!(turn.text(700), "One two three");
    }

    #[test]
    fn without_final_text_the_sentences_played_to_their_end_count() {
        let mut turn = two_sentences();
        turn.cut = Some(Cut { at_ms: 0, by: CutBy::Model, heard_ms: 1_500, confirmed: false });
        assert_eq!(turn.text(1_500), "One two three four.");
        assert_eq!(turn.text(500), "");
    }

    #[test]
    fn cut_by_the_learner_only_what_was_played_counts_whatever_the_model_says() {
        let mut turn = two_sentences();
        turn.cut = Some(Cut { at_ms: 0, by: CutBy::Learner, heard_ms: 1_500, confirmed: false });
        speak(&mut turn, "One two three four.");
        speak(&mut turn, "Five six seven eight.");
        assert_eq!(turn.text(1_500), "One two three four. Five six");
    }

    #[test]
    fn recording_sentences_and_text_are_bounded() {
        let mut turn = TutorTurn::default();
        let second = vec![0; 32_000];
        for _ in 0..(SENTENCES_MAX + 10) {
            turn.plan();
            turn.planned(&"word ".repeat(100));
            turn.produce(&second);
        }
        assert_eq!(turn.sentences.len(), SENTENCES_MAX);
        assert_eq!(turn.take_audio().len() as u64, TURN_AUDIO_MS_MAX * BYTES_PER_MS);
        assert_eq!(turn.produced_ms(), (SENTENCES_MAX as u64 + 10) * 1_000);
        assert!(turn.text(u64::MAX / 2).len() <= TURN_TEXT_BYTES_MAX);
    }
}
