//! Conversations by voice, with the recogniser and the voice that the project installs. Audio is sent faster than it is
//! spoken, except where time is measured.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hound::{WavReader, WavWriter};
use infra::client::{WordErrors, read_wav};
use infra::local::{Picture, Progress, SpeechModelName, SpeechModelOptions, catalogue, second_voice, speech};
use infra::simulator::{Simulator, SimulatorOptions, Speech, SpeechMode, Tuning};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::RwLock;

use super::client::{Answer, Conversation, SONIC, bedrock};
use super::sounds;

const RATE: u32 = 16_000;
/// Sentences whose words are counted, for each voice and each kind of noise.
const SENTENCES: usize = 30;
/// Bounds on the errors in words.
const ERRORS_PERCENT_MAX: f64 = 10.0;
/// Bound on the time from the end of a turn to the first audio of its answer.
const ANSWER_MS_MAX: u64 = 500;
/// Attempts to keep that bound.
const ROUNDS_MAX: usize = 8;
/// Silence that ends a turn.
const PAUSE_MS: usize = 1_600;

/// Part of the transcript of speech that was not recognised.
const NOT_RECOGNISED: &str = "cannot read";

/// Held alone where time is measured.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Packs the files of a model into an archive: folder, archive.
const PACK: &str = "\
import os, sys, tarfile
with tarfile.open(sys.argv[2], 'w:bz2', compresslevel=1) as archive:
    for name in os.listdir(sys.argv[1]):
        if not name.endswith('.wav'):
            archive.add(os.path.join(sys.argv[1], name), 'model/' + name)
";

struct Talk {
    simulator: Simulator,
    _folder: TempDir,
}

impl Talk {
    /// A simulator in real time that makes its answers at once.
    async fn start() -> Self {
        Self::start_at(0.0).await
    }

    /// A simulator in real time that makes its answers `pace` times as fast as they are spoken.
    async fn start_at(pace: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimulatorOptions {
            ca_file: Some(folder.path().join("ca.pem")),
            speech: SpeechMode::On,
            tuning: Tuning { pace, ..Tuning::default() },
            ..SimulatorOptions::default()
        };
        Self { simulator: Simulator::start(options).await.unwrap(), _folder: folder }
    }

    fn speech(&self) -> &Speech {
        self.simulator.speech().unwrap()
    }

    async fn open(&self) -> Conversation {
        let client = bedrock(&self.simulator.endpoint(), self.simulator.ca_file(), super::SECRET);
        Conversation::open(&client, SONIC).await.unwrap()
    }

    async fn voice(&self, text: &str) -> Vec<i16> {
        self.speech().speak(RATE, text).await.unwrap()
    }
}

/// A whole turn of the learner and the answer to it.
async fn turn(conversation: &mut Conversation, samples: &[i16]) -> Answer {
    conversation.sound(samples).await;
    conversation.silence(PAUSE_MS).await;
    conversation.answer().await
}

/// Sentences of a learner about the pictures, with their vocabulary.
fn sentences() -> Vec<String> {
    let pictures = catalogue().unwrap();
    let about = |picture: &Picture| {
        let word = |at: usize| picture.vocabulary[at].as_str();
        [
            format!("I can see the {} and the {} in the middle.", word(0), word(1)),
            format!("There is also a {}, and I think the people are busy.", word(2)),
        ]
    };
    pictures.iter().flat_map(about).take(SENTENCES).collect()
}

/// What was recognised in `samples`, which end with a pause: all turns of a conversation of its own. A busy machine may make
/// another turn of the noise behind a sentence.
async fn heard(talk: &Talk, samples: &[i16]) -> String {
    let mut conversation = talk.open().await;
    conversation.sound(samples).await;
    let mut turns = conversation.answer().await.user;
    let rest = conversation.close().await;
    let of_learner = rest.iter().filter(|(name, fields)| name == "textOutput" && fields["role"] == "USER");
    turns.extend(of_learner.filter_map(|(_, fields)| fields["content"].as_str().map(str::to_owned)));
    turns.join(" ")
}

/// Says each sentence in a conversation of its own, clean and in noise, and counts the errors in the transcripts.
async fn assert_recognised(talk: &Talk, voice: &str, spoken: &[(String, Vec<i16>)]) {
    let (mut clean, mut noisy) = (WordErrors::default(), WordErrors::default());
    for (text, samples) in spoken {
        let mut with_pause = samples.clone();
        with_pause.resize(samples.len() + PAUSE_MS * RATE as usize / 1000, 0);
        clean += WordErrors::between(text, &heard(talk, &with_pause).await);
        // The noise goes on behind the voice: the turn must end in it.
        noisy += WordErrors::between(text, &heard(talk, &sounds::in_noise(samples, 3)).await);
    }
    println!("{voice}: {clean} clean, {noisy} at 10 dB");
    assert!(clean.words > 200, "{clean}");
    assert!(clean.percent() <= ERRORS_PERCENT_MAX, "{voice}, clean: {clean}");
    assert!(noisy.percent() <= ERRORS_PERCENT_MAX, "{voice}, 10 dB: {noisy}");
}

#[tokio::test]
async fn sentences_about_the_pictures_are_recognised_clean_and_in_noise() {
    let _shared = MACHINE.read().await;
    let since = Instant::now();
    let talk = Talk::start().await;
    let mut spoken = Vec::new();
    for text in sentences() {
        let samples = talk.voice(&text).await;
        spoken.push((text, samples));
    }
    assert_recognised(&talk, "hibari heart", &spoken).await;
    println!("in {:.1} s", since.elapsed().as_secs_f64());
}

#[tokio::test]
async fn sentences_of_another_synthesiser_are_recognised_clean_and_in_noise() {
    let _shared = MACHINE.read().await;
    let since = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let mut command = second_voice().command(&Progress::silent()).await.unwrap();
    let mut child = command.arg(folder.path()).stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let lines: String = sentences().iter().map(|sentence| format!("{sentence}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
    assert!(child.wait().await.unwrap().success());
    let wav = |at: usize| wav(&folder.path().join(format!("{at}.wav")));
    let spoken: Vec<_> = sentences().into_iter().enumerate().map(|(at, text)| (text, wav(at))).collect();
    assert_recognised(&Talk::start().await, "Piper joe", &spoken).await;
    println!("in {:.1} s", since.elapsed().as_secs_f64());
}

#[tokio::test]
async fn human_recording_is_recognised() {
    let _shared = MACHINE.read().await;
    let installed = speech().environment(&Progress::silent()).await.unwrap();
    // The beginning of a long recording.
    let mut whole = WavReader::open(installed.join("speech-model/two_cities.wav")).unwrap();
    let spec = whole.spec();
    let wanted = spec.sample_rate as usize * usize::from(spec.channels) * 20;
    let mut bytes = Cursor::new(Vec::new());
    let mut beginning = WavWriter::new(&mut bytes, spec).unwrap();
    for sample in whole.samples::<i32>().take(wanted) {
        beginning.write_sample(sample.unwrap()).unwrap();
    }
    beginning.finalize().unwrap();
    bytes.set_position(0);
    let samples = read_wav(bytes).unwrap();
    let talk = Talk::start().await;
    let heard = turn(&mut talk.open().await, &samples).await.user.join(" ");
    let said = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of \
                foolishness";
    let beginning: Vec<&str> = heard.split_whitespace().take(said.split_whitespace().count()).collect();
    let errors = WordErrors::between(said, &beginning.join(" "));
    assert!(errors.percent() <= 2.0 * ERRORS_PERCENT_MAX, "{errors}: {heard}");
}

#[tokio::test]
async fn sounds_of_a_room_are_no_turn_and_interrupt_nobody() {
    let _shared = MACHINE.read().await;
    let talk = Talk::start().await;
    let sentence = talk.voice("I can see a brown dog near the bench.").await;
    let rooms = [
        ("silence", sounds::silence(60)),
        ("knocks", sounds::knocks(60)),
        ("typing", sounds::typing(60)),
        ("hum", sounds::hum(60)),
    ];
    for (name, sound) in rooms {
        let mut conversation = talk.open().await;
        conversation.sound(&sound).await;
        // The first turn is the sentence behind the sound.
        let answer = turn(&mut conversation, &sentence).await;
        let errors = WordErrors::between("I can see a brown dog near the bench.", &answer.user.join(" "));
        assert!(errors.errors <= 1, "{name}: {:?}", answer.user);
        conversation.type_text("Tell me more.").await;
        conversation.sound(&sound[..30 * RATE as usize]).await;
        assert!(!conversation.answer().await.interrupted, "{name} interrupts");
    }
}

#[tokio::test]
async fn turns_of_music_are_counted() {
    let _shared = MACHINE.read().await;
    let talk = Talk::start().await;
    let conversation = talk.open().await;
    let mut music = sounds::music(20);
    music.extend(vec![0; PAUSE_MS * 16]);
    for _ in 0..3 {
        conversation.sound(&music).await;
    }
    let turns = conversation
        .close()
        .await
        .iter()
        .filter(|(name, fields)| name == "textOutput" && fields["role"] == "USER")
        .count();
    println!("music: {turns} turns in 3 pieces of 20 s");
    assert!(turns <= 3, "{turns}");
}

#[tokio::test]
async fn tutor_asks_again_when_its_recogniser_dies_and_the_conversation_goes_on() {
    let _shared = MACHINE.read().await;
    let talk = Talk::start().await;
    let sentence = talk.voice("There are three balloons in the picture.").await;
    let mut conversation = talk.open().await;
    let mut ids = talk.speech().process_id();
    let first = ids.borrow_and_update().unwrap();
    let pid = Pid::from_raw(first.try_into().unwrap());
    // It has the sentence, and cannot finish it.
    kill(pid, Signal::SIGSTOP).unwrap();
    conversation.sound(&sentence).await;
    conversation.silence(PAUSE_MS).await;
    kill(pid, Signal::SIGKILL).unwrap();
    let answer = conversation.answer().await;
    assert!(answer.user[0].contains(NOT_RECOGNISED), "{:?}", answer.user);
    assert_eq!(answer.said.last().unwrap(), "Please say that again.");
    assert!(!answer.audio.is_empty());
    ids.wait_for(|id| id.is_some_and(|id| id != first)).await.unwrap();
    let answer = turn(&mut conversation, &sentence).await;
    assert_eq!(
        WordErrors::between("There are three balloons in the picture.", &answer.user.join(" ")).errors,
        0
    );
}

#[tokio::test]
async fn model_is_downloaded_by_its_hash_and_recognises() {
    let _shared = MACHINE.read().await;
    let installed = speech().environment(&Progress::silent()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("model.tar.bz2");
    // The packaged weights, in the form of a release.
    let packed = Command::new(installed.join("bin/python"))
        .args(["-I", "-c", PACK])
        .arg(installed.join("speech-model"))
        .arg(&archive)
        .status();
    assert!(packed.await.unwrap().success());
    let bytes = std::fs::read(&archive).unwrap();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/model.tar.bz2", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/model.tar.bz2", axum::routing::get(move || async { bytes }));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let model = |sha256: &str| SpeechModelOptions {
        speech_model: Some(SpeechModelName::MoonshineBaseEn),
        speech_model_sha256: Some(sha256.to_owned()),
        speech_model_url: Some(url.clone()),
    };
    let other = "0".repeat(64);
    let refused = Speech::start(&model(&other), &Progress::silent()).await.unwrap_err().to_string();
    assert!(refused.contains(&sha256) && refused.contains(&other), "{refused}");
    let speech = Speech::start(&model(&sha256), &Progress::silent()).await.unwrap();
    server.abort();
    let samples = speech.speak(RATE, "There are three balloons.").await.unwrap();
    assert_eq!(speech.recognise(RATE, &samples).await.unwrap(), "There are three balloons.");
    // The same model needs no download.
    Speech::start(&model(&sha256), &Progress::silent()).await.unwrap();
}

#[tokio::test]
async fn speech_program_ends_with_the_simulator() {
    let _shared = MACHINE.read().await;
    let mut talk = Talk::start().await;
    let mut ids = talk.speech().process_id();
    let pid = Pid::from_raw(ids.borrow_and_update().unwrap().try_into().unwrap());
    talk.simulator.stop().await;
    drop(talk);
    let gone = async {
        while kill(pid, None).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(super::client::PATIENCE, gone).await.expect("the program ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_five_voices_at_once_begin_in_time() {
    let _alone = MACHINE.write().await;
    let talk = Talk::start_at(Tuning::default().pace).await;
    let samples = talk.voice("I can see a woman with a red umbrella and two children.").await;
    let mut slowest = Vec::new();
    // What else the machine does only adds to the time, so one round of all five is enough.
    while slowest.len() < ROUNDS_MAX && slowest.last().is_none_or(|&ms| ms > ANSWER_MS_MAX) {
        let known = talk.simulator.streams_after(0).0;
        let learners = (0..5).map(async |_| {
            let mut conversation = talk.open().await;
            conversation.sound(&samples).await;
            // The silence lasts as long as it does for a learner.
            let mut frames = tokio::time::interval(Duration::from_millis(32));
            for _ in 0..PAUSE_MS / 32 {
                frames.tick().await;
                conversation.silence(32).await;
            }
            conversation.answer().await;
        });
        futures_util::future::join_all(learners).await;
        let (_, streams) = talk.simulator.streams_after(known);
        let delays: Vec<u64> = streams.iter().flat_map(|stream| stream.answer_delays_ms()).collect();
        println!("first audio after the end of a turn, in ms: {delays:?}");
        assert_eq!(delays.len(), 5);
        slowest.extend(delays.into_iter().max());
    }
    assert!(slowest.last().is_some_and(|&ms| ms <= ANSWER_MS_MAX), "{slowest:?}");
}

fn wav(path: &Path) -> Vec<i16> {
    read_wav(BufReader::new(File::open(path).unwrap())).unwrap()
}
