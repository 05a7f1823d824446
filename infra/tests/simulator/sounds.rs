//! PURE. Sounds of a room, 16 kHz mono: silence, knocks, typing, hum, and pink noise under a voice. The same call gives the
//! same samples.

use std::f32::consts::TAU;

const RATE: usize = 16_000;

/// A generator of noise (xorshift), from -1 to 1.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

/// A quiet room: noise at about -70 dB of full scale.
pub(crate) fn silence(seconds: usize) -> Vec<i16> {
    let mut noise = Noise(1);
    (0..seconds * RATE).map(|_| to_i16(noise.next() * 0.0005)).collect()
}

/// Knocks on a table: two or three in a row, a group every two seconds.
pub(crate) fn knocks(seconds: usize) -> Vec<i16> {
    let mut samples = floats(&silence(seconds));
    let mut noise = Noise(2);
    for group in 0..seconds / 2 {
        for knock in 0..2 + group % 2 {
            let start = group * 2 * RATE + knock * RATE / 4;
            let pitch = 110.0 + 25.0 * (group % 4) as f32;
            for (at, sample) in samples[start..].iter_mut().take(RATE / 8).enumerate() {
                let time = at as f32 / RATE as f32;
                let body = (TAU * pitch * time).sin() * (-30.0 * time).exp();
                let edge = noise.next() * (-400.0 * time).exp();
                *sample += 0.4 * body + 0.3 * edge;
            }
        }
    }
    samples.into_iter().map(to_i16).collect()
}

/// Typing on a keyboard: seven keys a second, a press and a release each.
pub(crate) fn typing(seconds: usize) -> Vec<i16> {
    let mut samples = floats(&silence(seconds));
    let mut noise = Noise(3);
    for key in 0..seconds * 7 {
        let pitch = 1_800.0 + 900.0 * noise.next();
        let jitter = noise.0 as usize % 800;
        let start = (key * RATE / 7 + jitter).min(samples.len());
        for (offset, level) in [(0, 0.12), (RATE / 14, 0.05)] {
            let from = (start + offset).min(samples.len());
            for (at, sample) in samples[from..].iter_mut().take(RATE / 50).enumerate() {
                let time = at as f32 / RATE as f32;
                let click = noise.next() + 0.5 * (TAU * pitch * time).sin();
                *sample += level * click * (-350.0 * time).exp();
            }
        }
    }
    samples.into_iter().map(to_i16).collect()
}

/// The hum of a fan and of the mains: 50 Hz with harmonics, and air.
pub(crate) fn hum(seconds: usize) -> Vec<i16> {
    let air = pink(seconds * RATE, 4);
    let tone = |time: f32| -> f32 {
        (1..=8).map(|part| (TAU * 50.0 * part as f32 * time).sin() / part as f32).sum()
    };
    (0..seconds * RATE).map(|at| to_i16(0.06 * tone(at as f32 / RATE as f32) + 0.02 * air[at])).collect()
}

/// A synthetic tune of three voices, for a rate and no guarantee.
pub(crate) fn music(seconds: usize) -> Vec<i16> {
    const SCALE: [f32; 7] = [261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9];
    let tone = |pitch: f32, time: f32| -> f32 {
        (1..=5).map(|part| (TAU * pitch * part as f32 * time).sin() / (part * part) as f32).sum()
    };
    (0..seconds * RATE)
        .map(|at| {
            let time = at as f32 / RATE as f32;
            let beat = at / (RATE / 3);
            let within = time - (beat * (RATE / 3)) as f32 / RATE as f32;
            let lead = tone(SCALE[beat * 5 % 7], time) * (-3.0 * within).exp();
            let chord = tone(SCALE[beat / 4 * 3 % 7] / 2.0, time);
            to_i16(0.12 * lead + 0.05 * chord)
        })
        .collect()
}

/// `voice` in pink noise, the voice 10 dB stronger.
pub(crate) fn in_noise(voice: &[i16], margin_seconds: usize) -> Vec<i16> {
    let margin = vec![0; margin_seconds * RATE];
    let clean = floats(&[&margin, voice, &margin].concat());
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let noise = pink(clean.len(), 5);
    let voice_power = power(&floats(voice)) / voice.len() as f32;
    let noise_power = power(&noise) / noise.len() as f32;
    let gain = (voice_power / noise_power / 10.0).sqrt();
    clean.iter().zip(noise).map(|(sample, noise)| to_i16(sample + gain * noise)).collect()
}

/// Pink noise: three leaky sums of white noise (Kellet's economy filter).
fn pink(length: usize, seed: u32) -> Vec<f32> {
    let mut white = Noise(seed);
    let mut sums = [0.0_f32; 3];
    let next = |_| {
        let noise = white.next();
        sums[0] = 0.997_65 * sums[0] + noise * 0.099_046;
        sums[1] = 0.963 * sums[1] + noise * 0.296_516_4;
        sums[2] = 0.57 * sums[2] + noise * 1.052_691_3;
        (sums.iter().sum::<f32>() + noise * 0.1848) / 4.0
    };
    (0..length).map(next).collect()
}

fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
