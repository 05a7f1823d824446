//! Conversations by voice: the test is the recogniser and the voice.

use std::f32::consts::TAU;

use super::*;

fn by_voice() -> Driver {
    Driver::open(Settings { speech: true, ..settings() })
}

/// Vowels without words: a buzz with the formants and the syllables of a voice.
#[expect(clippy::cast_possible_truncation, reason = "the sum of the formants is far below full scale")]
fn sing(seconds: usize) -> Vec<i16> {
    let mut phase = 0.0;
    let sample = |at: usize| {
        let time = at as f32 / RATE as f32;
        let pitch = 140.0 + 25.0 * (TAU * 0.7 * time).sin();
        phase += TAU * pitch / RATE as f32;
        let formants = [
            (500.0 + 250.0 * (TAU * 2.0 * time).sin(), 200.0, 1.0),
            (1_500.0, 250.0, 0.5),
            (2_600.0, 300.0, 0.2),
        ];
        let overtone = |part: f32| {
            let strength =
                formants.map(|(at, width, gain)| gain * (-((part * pitch - at) / width).powi(2)).exp());
            (phase * part).sin() * strength.iter().sum::<f32>()
        };
        let syllable = 0.5 - 0.5 * (TAU * 4.0 * time).cos();
        (4_000.0 * syllable * (1..=24_u8).map(f32::from).map(overtone).sum::<f32>()) as i16
    };
    (0..seconds * RATE as usize).map(sample).collect()
}

impl Driver {
    /// The ids of the pieces to recognise, with their length in milliseconds.
    fn pieces(&mut self) -> Vec<(u32, usize)> {
        let asked = self.requests.extract_if(.., |request| matches!(request, Output::Recognise { .. }));
        asked
            .filter_map(|request| match request {
                Output::Recognise { id, samples, .. } => Some((id, samples.len() / 16)),
                Output::Event(_) | Output::Exception(_) | Output::Speak { .. } => None,
            })
            .collect()
    }

    fn recognise(&mut self, id: u32, words: Option<&str>) {
        self.session.recognised(id, words.map(str::to_owned), self.now);
        self.drain();
    }

    /// Gives each sentence that is wanted a second of samples of `value`; returns the sentences.
    fn voice(&mut self, value: i16) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(request) = self.requests.pop() {
            if let Output::Speak { id, sample_rate, text } = request {
                self.session.spoken(id, Some(vec![value; sample_rate as usize]), self.now);
                self.drain();
                texts.push(text);
            }
        }
        texts
    }
}

#[test]
fn voice_is_recognised_in_the_pause_and_answered_by_voice() {
    let mut driver = by_voice();
    driver.hear(&sing(2));
    driver.pause(600);
    let [(id, ms)] = driver.pieces()[..] else { panic!("one piece is recognised") };
    assert!((1_900..2_500).contains(&ms), "{ms}");
    driver.recognise(id, Some("I can see a big dog."));
    assert_eq!(driver.texts("USER", "FINAL"), [], "the turn is open");
    driver.pause(1_200);
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "I can see a big dog.");
    assert_eq!(driver.audio().len(), 0, "the samples have not come");
    let wanted = driver.voice(7);
    driver.wait(Duration::from_secs(4));
    assert_eq!((driver.said(), driver.audio()), (wanted.clone(), vec![7; wanted.len() * RATE as usize]));
}

#[test]
fn turn_waits_for_its_words_and_asks_again_without_them() {
    for late in [false, true] {
        let mut driver = by_voice();
        driver.hear(&sing(2));
        driver.pause(1_700);
        let (id, _) = driver.pieces()[0];
        assert_eq!(driver.texts("USER", "FINAL"), []);
        if late {
            driver.wait(Duration::from_millis(3_000));
        } else {
            driver.recognise(id, None);
        }
        assert!(driver.texts("USER", "FINAL")[0].0.contains("cannot read"));
        assert_eq!(driver.voice(1), ["Sorry, I did not understand that.", "Please say that again."]);
        driver.recognise(id, Some("too late"));
        driver.wait(Duration::from_secs(4));
        assert_eq!((driver.texts("USER", "FINAL").len(), driver.said().len()), (1, 2), "late: {late}");
        // The conversation goes on.
        driver.hear(&sing(2));
        driver.pause(1_700);
        let (id, _) = driver.pieces()[0];
        driver.recognise(id, Some("I see a dog."));
        assert_eq!(driver.texts("USER", "FINAL")[1].0, "I see a dog.");
    }
}

#[test]
fn answer_without_samples_is_in_tones() {
    let mut driver = by_voice();
    driver.type_text("t", "hello");
    driver.wait(Duration::from_millis(4_900));
    assert_eq!(driver.audio().len(), 0);
    driver.wait(Duration::from_secs(20));
    let heard = Decoder::new(RATE).push(&driver.audio());
    assert_eq!(heard, driver.said().into_iter().map(Heard::Text).collect::<Vec<_>>());
    assert_eq!(heard.len(), 2);
}

#[test]
fn tones_are_read_without_a_recogniser_and_answered_in_tones() {
    let mut driver = by_voice();
    driver.say("I see a brown dog");
    driver.pause(1_700);
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "I see a brown dog");
    driver.wait(Duration::from_secs(20));
    assert_eq!(driver.requests, []);
    let heard = Decoder::new(RATE).push(&driver.audio());
    assert_eq!(heard, driver.said().into_iter().map(Heard::Text).collect::<Vec<_>>());
}

#[test]
fn long_turn_is_recognised_in_pieces() {
    let mut driver = by_voice();
    driver.hear(&sing(5).repeat(12));
    driver.pause(1_700);
    let mut pieces = driver.pieces();
    while let Some((id, _)) = pieces.last() {
        let words = (pieces.len() - 1).to_string();
        driver.recognise(*id, Some(&words));
        let next = driver.pieces();
        if next.is_empty() {
            break;
        }
        pieces.extend(next);
    }
    let limit = recording::PIECE_MS_MAX as usize;
    assert!(pieces.len() >= 3 && pieces.iter().all(|(_, ms)| *ms <= limit), "{pieces:?}");
    let total: usize = pieces.iter().map(|(_, ms)| ms).sum();
    assert!((59_000..61_500).contains(&total), "{total}");
    let words: Vec<String> = (0..pieces.len()).map(|at| at.to_string()).collect();
    assert_eq!(driver.texts("USER", "FINAL")[0].0, words.join(" "));
}

#[test]
fn voice_interrupts_the_tutor_and_the_said_words_are_those_that_were_played() {
    let mut driver = Driver::open(Settings { speech: true, pace: 1.0, ..settings() });
    driver.type_text("t", "hello");
    driver.voice(1);
    driver.wait(Duration::from_millis(500));
    driver.hear(&sing(1));
    let (said, stop) = driver.texts("ASSISTANT", "FINAL").pop().unwrap();
    assert_eq!(stop, "INTERRUPTED");
    let planned = "Hello! Let us talk about the picture.";
    assert!(planned.starts_with(&said) && !said.is_empty() && said.len() < planned.len(), "{said:?}");
}

#[test]
fn last_words_are_recognised_before_the_stream_ends() {
    for by_closing in [false, true] {
        let mut driver = by_voice();
        driver.hear(&sing(2));
        if by_closing {
            driver.session.input_closed(driver.now);
            driver.drain();
        } else {
            driver.input(&end("mic"));
            driver.input(&prompt_end());
        }
        assert!(driver.fields("completionEnd").next().is_none() && !driver.session.is_over());
        let (id, _) = driver.pieces()[0];
        driver.recognise(id, Some("I have to go"));
        assert_eq!(driver.texts("USER", "FINAL")[0].0, "I have to go");
        assert!(driver.sent.last().unwrap().get("completionEnd").is_some());
        assert_eq!(driver.session.is_over(), by_closing);
    }
}
