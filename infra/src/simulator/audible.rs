//! PURE. Audible text: speech that carries its own words, as tones. [`encode`] turns text into PCM, [`Decoder`] turns
//! what arrived back into text, so a lost, doubled or reordered byte on the way shows up in the transcript.
//!
//! It is not speech synthesis, and not a modem for noisy lines: it is for digital channels. On a channel that keeps
//! samples unchanged, every sample of an utterance is checked; a repeated part of its first symbol alone counts as a click
//! before it. On a channel that resamples or compresses, the tones and the checksum are checked.
//!
//! An utterance is a preamble of four pilot symbols, a length (2 bytes), the UTF-8 text, a CRC-32 over length and text
//! (4 bytes) and one symbol of silence. A byte is two symbols, high half first; a symbol is [`SYMBOL_MS`] of one of sixteen
//! tones. Each tone has whole periods in a symbol, so the signal has no steps and the tones are orthogonal.

mod tones;

use tones::{Reading, Tones};

/// Longest text of one utterance, in bytes. [`encode`] splits a longer text into several utterances.
pub const TEXT_BYTES_MAX: usize = 2048;
/// Length of one symbol; a byte of text takes two.
pub const SYMBOL_MS: usize = 20;

const PREAMBLE_SYMBOLS: usize = tones::PREAMBLE.len();
const LENGTH_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 4;
/// Samples of a lower magnitude are silence.
const QUIET: i16 = 300;
/// Symbols in a row without a tone after which an utterance is damaged.
const LOST_SYMBOLS_MAX: usize = 3;
/// Samples before the first loud one at which the preamble may start.
const ONSET_SLACK_SAMPLES: usize = 8;
/// A pause of this length ends a stretch of unreadable speech.
const PAUSE_MS: u64 = 300;
/// A shorter stretch of sound is a click, not speech.
const CLICK_MS: u64 = 60;

/// What the decoder found between two silences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An utterance, intact.
    Text(String),
    /// An utterance with lost, extra or reordered samples, or a truncated one.
    Damaged {
        /// The readable text, U+FFFD where a byte is unreadable.
        text: String,
    },
    /// Sound that is not audible text, such as a human voice.
    Unreadable {
        /// From the first to the last loud sample, in milliseconds.
        ms: u64,
    },
}

/// `text` as PCM, signed 16 bit mono at `sample_rate` Hz, a multiple of 50 from 8000 up. Empty for an empty text.
pub fn encode(text: &str, sample_rate: u32) -> Vec<i16> {
    let tones = Tones::new(sample_rate);
    let mut samples = Vec::with_capacity(samples_in(text.len(), tones.symbol_samples()));
    for part in parts(text) {
        encode_utterance(part, &tones, &mut samples);
    }
    samples
}

/// The part of `text` that `played_ms` of [`encode`]'s audio contains, in whole words.
pub fn said_after(text: &str, played_ms: u64) -> &str {
    let before_text = SYMBOL_MS * (PREAMBLE_SYMBOLS + 2 * LENGTH_BYTES);
    let played_ms = usize::try_from(played_ms).unwrap_or(usize::MAX);
    let bytes = played_ms.saturating_sub(before_text) / (2 * SYMBOL_MS);
    if bytes >= text.len() {
        return text;
    }
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text[..end].rfind(' ').map_or("", |space| text[..space].trim_end())
}

/// Reads audible text from a stream of samples in pieces of any size. Its memory does not grow with the stream.
#[derive(Debug)]
pub struct Decoder {
    tones: Tones,
    sample_rate: u32,
    samples: Vec<i16>,
    /// Start of the samples that are not processed yet.
    position: usize,
    state: State,
    noise: Noise,
}

#[derive(Debug)]
enum State {
    Searching,
    Receiving(Utterance),
}

impl Decoder {
    pub fn new(sample_rate: u32) -> Self {
        Self {
            tones: Tones::new(sample_rate),
            sample_rate,
            samples: Vec::new(),
            position: 0,
            state: State::Searching,
            noise: Noise::default(),
        }
    }

    /// Takes the next samples and returns what ends within them.
    pub fn push(&mut self, samples: &[i16]) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.samples.extend_from_slice(samples);
        while self.step(&mut heard) {}
        self.forget();
        heard
    }

    /// Whether an utterance or other sound has begun and not ended.
    pub fn is_hearing(&self) -> bool {
        self.is_receiving() || self.noise.is_some()
    }

    /// Whether an utterance has begun and not ended.
    pub fn is_receiving(&self) -> bool {
        matches!(self.state, State::Receiving(_))
    }

    /// Ends the current utterance or sound, as a long silence would.
    pub fn flush(&mut self) -> Vec<Heard> {
        let silence = vec![0; (PREAMBLE_SYMBOLS + LOST_SYMBOLS_MAX + 2) * self.tones.symbol_samples()];
        let mut heard = self.push(&silence);
        heard.extend(self.noise.take(self.sample_rate));
        heard
    }

    /// The utterance or sound in progress.
    pub fn finish(mut self) -> Vec<Heard> {
        self.flush()
    }

    /// One step of decoding; `false` when it needs more samples.
    fn step(&mut self, heard: &mut Vec<Heard>) -> bool {
        match &mut self.state {
            State::Searching => self.search(heard),
            State::Receiving(utterance) => {
                let length = self.tones.symbol_samples();
                let Some(window) = self.samples.get(self.position..self.position + length) else {
                    return false;
                };
                self.position += length;
                match utterance.receive(self.tones.read(window, QUIET)) {
                    Progress::More => {}
                    Progress::Done { heard: done, not_its } => {
                        self.position -= not_its * length;
                        heard.push(done);
                        self.state = State::Searching;
                    }
                }
                true
            }
        }
    }

    /// Classifies half a symbol: silence, the start of a preamble, or other sound.
    fn search(&mut self, heard: &mut Vec<Heard>) -> bool {
        let half = self.tones.symbol_samples() / 2;
        let Some(hop) = self.samples.get(self.position..self.position + half) else {
            return false;
        };
        if hop.iter().all(|sample| sample.unsigned_abs() < QUIET.unsigned_abs()) {
            self.position += half;
            heard.extend(self.noise.silence(half, self.sample_rate));
            return true;
        }
        let needed = half + (PREAMBLE_SYMBOLS + 1) * self.tones.symbol_samples();
        if self.samples.len() < self.position + needed {
            return false;
        }
        let from = self.position.saturating_sub(ONSET_SLACK_SAMPLES);
        if let Some(found) = self.tones.find_preamble(&self.samples[from..self.position + needed]) {
            heard.extend(self.noise.take(self.sample_rate));
            self.position = from + found.end;
            self.state = State::Receiving(Utterance::new(found.exact, found.broken));
        } else {
            self.position += half;
            self.noise.sound(half);
        }
        true
    }

    /// Drops the samples that no later step reads.
    fn forget(&mut self) {
        let keep = LOST_SYMBOLS_MAX * self.tones.symbol_samples() + ONSET_SLACK_SAMPLES;
        let drop = self.position.saturating_sub(keep);
        if drop > 0 {
            self.samples.drain(..drop);
            self.position -= drop;
        }
    }
}

/// Sound that is no utterance, in samples.
#[derive(Debug, Default)]
struct Noise {
    length: usize,
    silence: usize,
}

impl Noise {
    fn is_some(&self) -> bool {
        self.length > 0
    }

    fn sound(&mut self, samples: usize) {
        self.length += self.silence + samples;
        self.silence = 0;
    }

    fn silence(&mut self, samples: usize, sample_rate: u32) -> Option<Heard> {
        if self.length == 0 {
            return None;
        }
        self.silence += samples;
        if milliseconds(self.silence, sample_rate) < PAUSE_MS {
            return None;
        }
        self.take(sample_rate)
    }

    fn take(&mut self, sample_rate: u32) -> Option<Heard> {
        let ms = milliseconds(std::mem::take(self).length, sample_rate);
        (ms >= CLICK_MS).then_some(Heard::Unreadable { ms })
    }
}

enum Progress {
    More,
    Done {
        heard: Heard,
        /// The number of trailing symbols that are not part of it; they may be the next preamble.
        not_its: usize,
    },
}

/// An utterance after its preamble.
#[derive(Debug)]
struct Utterance {
    bytes: Vec<u8>,
    /// Where a byte could not be read.
    unreadable: Vec<usize>,
    high_half: Option<Option<u8>>,
    /// The length, once all bytes are there and only the silent symbol is missing.
    closing: Option<usize>,
    lost_in_a_row: usize,
    /// Symbols whose samples are exactly what was sent, and symbols that were only recognised.
    exact: usize,
    inexact: usize,
    broken: bool,
}

impl Utterance {
    fn new(exact_pilots: usize, broken: bool) -> Self {
        Self {
            bytes: Vec::new(),
            unreadable: Vec::new(),
            high_half: None,
            closing: None,
            lost_in_a_row: 0,
            exact: exact_pilots,
            inexact: PREAMBLE_SYMBOLS - exact_pilots,
            broken,
        }
    }

    fn receive(&mut self, reading: Reading) -> Progress {
        if let Some(length) = self.closing {
            return self.close(length, reading);
        }
        let half = match reading {
            Reading::Exact(half) => {
                self.exact += 1;
                Some(half)
            }
            Reading::Alike(half) => {
                self.inexact += 1;
                Some(half)
            }
            Reading::Zeros | Reading::Quiet | Reading::Nothing => None,
        };
        self.lost_in_a_row = if half.is_some() { 0 } else { self.lost_in_a_row + 1 };
        if self.lost_in_a_row == LOST_SYMBOLS_MAX {
            return Progress::Done { heard: self.damaged(), not_its: LOST_SYMBOLS_MAX };
        }
        match self.high_half.take() {
            None => self.high_half = Some(half),
            Some(high) => self.byte(high, half),
        }
        let Some(length) = self.length() else {
            return Progress::More;
        };
        if length > TEXT_BYTES_MAX {
            return Progress::Done { heard: self.damaged(), not_its: 0 };
        }
        if self.bytes.len() == LENGTH_BYTES + length + CHECKSUM_BYTES {
            self.closing = Some(length);
        }
        Progress::More
    }

    /// Takes the silent symbol behind the checksum.
    fn close(&mut self, length: usize, reading: Reading) -> Progress {
        match reading {
            Reading::Zeros => self.exact += 1,
            Reading::Quiet => self.inexact += 1,
            Reading::Exact(_) | Reading::Alike(_) | Reading::Nothing => {
                self.broken = true;
                return Progress::Done { heard: self.damaged(), not_its: 1 };
            }
        }
        Progress::Done { heard: self.finished(length), not_its: 0 }
    }

    fn byte(&mut self, high: Option<u8>, low: Option<u8>) {
        match (high, low) {
            (Some(high), Some(low)) => self.bytes.push((high << 4) | low),
            _ => {
                self.unreadable.push(self.bytes.len());
                self.bytes.push(0);
            }
        }
    }

    fn length(&self) -> Option<usize> {
        let &[high, low] = self.bytes.first_chunk::<LENGTH_BYTES>()?;
        Some(usize::from(u16::from_be_bytes([high, low])))
    }

    fn finished(&self, length: usize) -> Heard {
        let (body, checksum) = self.bytes.split_at(LENGTH_BYTES + length);
        // A channel keeps all samples or none: a mixture means that this utterance was damaged on the way.
        let tampered = self.broken || (self.exact > 0 && self.inexact > 0);
        if tampered || !self.unreadable.is_empty() || checksum != crc32fast::hash(body).to_be_bytes() {
            return self.damaged();
        }
        match std::str::from_utf8(&body[LENGTH_BYTES..]) {
            Ok(text) => Heard::Text(text.to_owned()),
            Err(_) => self.damaged(),
        }
    }

    fn damaged(&self) -> Heard {
        let mut bytes = self.bytes.clone();
        for &index in &self.unreadable {
            // Never part of UTF-8, so it becomes U+FFFD.
            bytes[index] = 0xFF;
        }
        // The symbols without a tone that ended the utterance are not part of its text.
        while bytes.last() == Some(&0xFF) && self.lost_in_a_row > 0 {
            bytes.pop();
        }
        let end = self.length().map_or(bytes.len(), |length| (LENGTH_BYTES + length).min(bytes.len()));
        let text = bytes.get(LENGTH_BYTES..end).unwrap_or_default();
        Heard::Damaged { text: String::from_utf8_lossy(text).into_owned() }
    }
}

/// `text` in pieces of at most [`TEXT_BYTES_MAX`], cut between characters.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let limit = text.len().min(TEXT_BYTES_MAX);
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end))?;
        let (part, rest) = text.split_at(end);
        text = rest;
        (!part.is_empty()).then_some(part)
    })
}

fn encode_utterance(text: &str, tones: &Tones, samples: &mut Vec<i16>) {
    let length =
        u16::try_from(text.len()).expect("a part is at most TEXT_BYTES_MAX bytes, which fits 16 bits");
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + text.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    tones.write_preamble(samples);
    for byte in bytes {
        samples.extend_from_slice(tones.symbol(byte >> 4));
        samples.extend_from_slice(tones.symbol(byte & 0xF));
    }
    samples.resize(samples.len() + tones.symbol_samples(), 0);
}

fn samples_in(text_bytes: usize, symbol_samples: usize) -> usize {
    let utterances = text_bytes.div_ceil(TEXT_BYTES_MAX);
    let bytes = text_bytes + utterances * (LENGTH_BYTES + CHECKSUM_BYTES);
    (2 * bytes + utterances * (PREAMBLE_SYMBOLS + 1)) * symbol_samples
}

fn milliseconds(samples: usize, sample_rate: u32) -> u64 {
    samples as u64 * 1000 / u64::from(sample_rate)
}

#[cfg(test)]
mod tests;
