//! Properties of the codec: any text survives any framing, and no change to the samples goes unnoticed.

use proptest::prelude::*;

use super::{Decoder, Heard, SYMBOL_MS, TEXT_BYTES_MAX, encode, said_after};

const RATE: u32 = 16_000;

fn decode(samples: &[i16], rate: u32, framing: usize) -> Vec<Heard> {
    let mut decoder = Decoder::new(rate);
    let mut heard: Vec<Heard> = samples.chunks(framing).flat_map(|chunk| decoder.push(chunk)).collect();
    heard.extend(decoder.finish());
    heard
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn text(value: &str) -> Heard {
    Heard::Text(value.to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_survives_any_framing(
        value in "\\PC{1,40}",
        rate in prop::sample::select(vec![8_000u32, 16_000, 24_000, 44_100, 48_000]),
        framing in 1usize..2_000,
        lead in 0usize..5_000,
        tail in 0usize..5_000,
    ) {
        let mut pcm = vec![0; lead];
        pcm.extend(encode(&value, rate));
        pcm.resize(pcm.len() + tail, 0);
        prop_assert_eq!(decode(&pcm, rate, framing), vec![text(&value)]);
    }

    #[test]
    fn utterances_in_a_row_stay_apart(values in prop::collection::vec("[a-z가-힣 ]{1,20}", 1..5), gap in 0usize..700) {
        let mut pcm = Vec::new();
        for value in &values {
            pcm.extend(encode(value, RATE));
            pcm.resize(pcm.len() + gap, 0);
        }
        let expected: Vec<Heard> = values.iter().map(|value| text(value)).collect();
        prop_assert_eq!(decode(&pcm, RATE, 512), expected);
    }

    #[test]
    fn a_removed_range_is_noticed(value in "[a-zA-Z ,.]{1,20}", at in 0usize..1_000, length in 1usize..3_000) {
        let original = bytes(&encode(&value, RATE));
        let (start, end) = range(original.len(), at, length);
        let mut changed = original.clone();
        changed.drain(start..end);
        noticed(&value, &changed)?;
    }

    #[test]
    fn a_doubled_range_is_noticed(value in "[a-zA-Z ,.]{1,20}", at in 0usize..1_000, length in 1usize..3_000) {
        let original = bytes(&encode(&value, RATE));
        let (start, end) = range(original.len(), at, length);
        // A half-wave of the first pilot that is there twice is a click before an utterance that is whole.
        let start = start.max(FIRST_PILOT_BYTES);
        let end = end.max(start + 1);
        let mut changed = original[..end].to_vec();
        changed.extend_from_slice(&original[start..]);
        noticed(&value, &changed)?;
    }

    #[test]
    fn swapped_ranges_are_noticed(value in "[a-zA-Z ,.]{1,20}", at in 0usize..1_000, length in 1usize..3_000) {
        let original = bytes(&encode(&value, RATE));
        let (start, end) = range(original.len(), at, length);
        let middle = start + (end - start) / 2;
        let mut changed = original[..start].to_vec();
        changed.extend_from_slice(&original[middle..end]);
        changed.extend_from_slice(&original[start..middle]);
        changed.extend_from_slice(&original[end..]);
        prop_assume!(changed != original);
        noticed(&value, &changed)?;
    }

    #[test]
    fn what_is_cut_off_is_a_damaged_beginning(value in "[a-z ]{2,20}", kept in 0usize..1_000) {
        let pcm = encode(&value, RATE);
        // All of the preamble and not all of the text.
        let first = 4 * 320;
        let kept = first + (pcm.len() - first - 10 * 320) * kept / 1_000;
        match decode(&pcm[..kept], RATE, 512).as_slice() {
            [Heard::Damaged { text }] => {
                let read = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
                prop_assert!(value.starts_with(read), "{text:?}");
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_quieter_and_noisier_channel_is_still_read(value in "[a-z가-힣 ]{1,20}", seed in any::<u32>()) {
        let mut state = seed;
        let pcm: Vec<i16> = encode(&value, RATE)
            .into_iter()
            .map(|sample| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                sample / 2 + i16::try_from(state >> 24).unwrap() - 128
            })
            .collect();
        prop_assert_eq!(decode(&pcm, RATE, 512), vec![text(&value)]);
    }

    #[test]
    fn noise_is_never_text(seed in any::<u32>(), ms in 100usize..2_000) {
        let mut state = seed;
        let pcm: Vec<i16> = (0..ms * 16)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                i16::from_le_bytes([state.to_le_bytes()[2], state.to_le_bytes()[3]]) / 4
            })
            .collect();
        match decode(&pcm, RATE, 512).as_slice() {
            [Heard::Unreadable { ms: heard }] => prop_assert!(heard.abs_diff(ms as u64) <= 120, "{heard} of {ms}"),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

/// The first symbol of a preamble, in bytes.
const FIRST_PILOT_BYTES: usize = 2 * RATE as usize * SYMBOL_MS / 1_000;

/// A range behind the first sample, which is zero like the silence before it, and before the closing silence.
fn range(length: usize, at: usize, wanted: usize) -> (usize, usize) {
    let first = 2;
    let last = length - 640;
    let start = first + (last - first - 2) * at / 1_000;
    (start, (start + wanted).min(last))
}

fn noticed(value: &str, changed: &[u8]) -> Result<(), TestCaseError> {
    let heard = decode(&samples(changed), RATE, 512);
    prop_assert_ne!(heard, vec![text(value)]);
    Ok(())
}

#[test]
fn a_long_text_becomes_several_utterances() {
    let long = "여보세요 ".repeat(TEXT_BYTES_MAX / 10);
    assert!(long.len() > TEXT_BYTES_MAX);
    let heard = decode(&encode(&long, 8_000), 8_000, 4_096);
    assert_eq!(heard.len(), 2);
    let joined: String = heard
        .into_iter()
        .map(|heard| match heard {
            Heard::Text(text) => text,
            other @ (Heard::Damaged { .. } | Heard::Unreadable { .. }) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(joined, long);
}

#[test]
fn a_length_above_the_limit_ends_the_utterance() {
    let tones = super::Tones::new(RATE);
    let mut pcm = Vec::new();
    tones.write_preamble(&mut pcm);
    for half in [0xF, 0xF, 0xF, 0xF] {
        pcm.extend_from_slice(tones.symbol(half));
    }
    assert_eq!(decode(&pcm, RATE, 512), vec![Heard::Damaged { text: String::new() }]);
}

#[test]
fn nothing_is_heard_in_silence_and_memory_stays_small() {
    let mut decoder = Decoder::new(RATE);
    for _ in 0..10_000 {
        assert_eq!(decoder.push(&[12; 512]), vec![]);
    }
    assert!(decoder.samples.capacity() < 8_192);
    assert_eq!(decoder.finish(), vec![]);
}

#[test]
fn speech_before_text_is_reported_apart() {
    let mut pcm: Vec<i16> =
        (0..16_000i32).map(|index| if index / 40 % 2 == 0 { 3_000 } else { -3_000 }).collect();
    pcm.extend(encode("now readable", RATE));
    let heard = decode(&pcm, RATE, 333);
    assert!(
        matches!(heard.as_slice(), [Heard::Unreadable { ms: 900..=1_100 }, Heard::Text(text)] if text == "now readable"),
        "{heard:?}"
    );
}

#[test]
fn an_interrupted_sentence_is_cut_between_words() {
    let sentence = "I can see a dog";
    assert_eq!(said_after(sentence, 0), "");
    assert_eq!(said_after(sentence, 160 + 40 * 5), "I");
    assert_eq!(said_after(sentence, 160 + 40 * 6), "I can");
    assert_eq!(said_after(sentence, 60_000), sentence);
}
