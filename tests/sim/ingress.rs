//! Learners and the ingress that journals what they say: each conversation is a process that may die at any point.

use std::{sync::Arc, time::Duration};

use events::{
    bus::Bus,
    contract::{ConversationId, EndReason, FeedbackLanguage, Level, Speaker, Turn, Usage},
    journal::{End, Journal, JournalConfig, JournalError, Ownership, Start, WATCH_DELAY_SECONDS},
    runtime::world,
};
use tests::model::{Cloud, queue_url};
use tokio::time::Instant;

use crate::world::{BUS, CONVERSATIONS, Told};

/// Attempts at a write whose outcome is unknown, before the process gives up and leaves it to the watchdog.
const ATTEMPTS_MAX: u32 = 4;

const RENEWAL: Duration = Duration::from_secs(30);

/// When its process dies, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    /// Anywhere: at the n-th step.
    DiesAt(u32),
}

struct Ingress {
    cloud: Cloud,
    name: String,
    journal: Journal,
    steps: u32,
    fate: Fate,
    renewed: Instant,
}

/// The process is dead, or has nothing more to write.
struct Gone;

/// One conversation from its first word to its event.
pub(crate) async fn converse(cloud: Cloud, number: u32, told: Arc<Told>) {
    let (pause, fate, turns, silent) = {
        let mut state = cloud.state();
        let fate = if state.below(3) == 0 { Fate::DiesAt(state.below(12)) } else { Fate::Lives };
        (state.seconds(0.0, 100.0), fate, 1 + state.below(6), state.below(6) == 0)
    };
    tokio::time::sleep(pause).await;
    let name = format!("ingress-{number}");
    let sdk = cloud.sdk_config(&name);
    let config = JournalConfig {
        table: CONVERSATIONS.into(),
        watchdog_queue_url: queue_url("nova-watchdog"),
        watch_delay_seconds: WATCH_DELAY_SECONDS,
    };
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let journal = Journal::new(dynamodb, aws_sdk_sqs::Client::new(&sdk), config);
    let bus = Bus::new(aws_sdk_eventbridge::Client::new(&sdk), BUS, "nova.ingress");
    let mut ingress = Ingress { cloud, name, journal, steps: 0, fate, renewed: Instant::now() };
    // How it ends does not matter here: the oracle looks at what is stored.
    let _ = ingress.talk(&bus, (number, turns, silent), &told).await;
}

impl Ingress {
    async fn talk(
        &mut self,
        bus: &Bus,
        (number, turns, silent): (u32, u32, bool),
        told: &Told,
    ) -> Result<(), Gone> {
        let id =
            ConversationId::new(world::now(), world::uuid().as_bytes()[..10].try_into().map_err(|_| Gone)?);
        let start = Start {
            conversation_id: id,
            user_id: format!("learner-{}", number % 2).parse().map_err(|_| Gone)?,
            image_id: "city-cafe".to_owned(),
            level: Level::B1,
            feedback_language: FeedbackLanguage::English,
            time_zone: ["Asia/Seoul", "UTC"][usize::from(number.is_multiple_of(2))].to_owned(),
            traceparent: None,
            owner: self.name.clone(),
        };
        self.step();
        let own = self.journal.start(&start, world::now()).await.map_err(|_| Gone)?;
        told.acknowledged(&id.to_string(), None);
        let mut said = Vec::new();
        for index in 0..turns {
            self.speak(&own).await?;
            let turn = turn(id, index, silent);
            let mut attempts = 0;
            loop {
                self.step();
                match self.journal.append(&own, &turn).await {
                    Ok(()) => break,
                    Err(JournalError::Service { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                    Err(_) => return Err(Gone),
                }
            }
            told.acknowledged(&id.to_string(), Some(turn.clone()));
            said.push(turn);
        }
        let end = End::of_turns(EndReason::Learner, Usage::default(), &said);
        let mut attempts = 0;
        let completed = loop {
            self.step();
            match self.journal.end(&own, &end, world::now()).await {
                Ok(completed) => break completed,
                Err(JournalError::Service { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(_) => return Err(Gone),
            }
        };
        self.step();
        bus.publish(&[completed.envelope]).await.map_err(|_| Gone)?;
        self.step();
        self.journal.mark_published(id, world::now()).await.map_err(|_| Gone)
    }

    /// The time that a turn takes. The lease is renewed meanwhile.
    async fn speak(&mut self, own: &Ownership) -> Result<(), Gone> {
        let until = Instant::now() + self.cloud.state().seconds(2.0, 25.0);
        tokio::time::sleep_until(until).await;
        if self.renewed.elapsed() >= RENEWAL {
            self.renewed = Instant::now();
            match self.journal.renew(own, world::now()).await {
                Ok(()) | Err(JournalError::Service { .. }) => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    fn step(&mut self) {
        if self.fate == Fate::DiesAt(self.steps) {
            self.cloud.doom(&self.name);
        }
        self.steps += 1;
    }
}

fn turn(id: ConversationId, index: u32, silent: bool) -> Turn {
    let learner = index.is_multiple_of(2) && !silent;
    Turn {
        index,
        speaker: if learner { Speaker::Learner } else { Speaker::Tutor },
        text: format!("{id} I see {index} bicycles"),
        start_ms: u64::from(index) * 1000,
        end_ms: u64::from(index) * 1000 + 800,
        speech_ms: 800,
        answer_latency_ms: None,
        interrupted: false,
        played_ms: None,
        typed: false,
        confidence: None,
        audio_key: None,
    }
}
