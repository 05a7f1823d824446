//! Learners and the ingresses that journal what they say: each is a process that may die or stand still at any point,
//! and a conversation may move from one that is alive to another.

use std::{sync::Arc, time::Duration};

use events::{
    bus::Bus,
    contract::{ConversationId, EndReason, FeedbackLanguage, Level, Speaker, TraceParent, Turn, Usage},
    journal::{
        End, Handover, Journal, JournalConfig, JournalError, Ownership, Progress, Start, WATCH_DELAY_SECONDS,
    },
    runtime::env,
};
use ingress::account::accounts::Accounts;
use jiff::SignedDuration;
use tests::model::{Cloud, queue_url};
use tokio::time::Instant;

use crate::{
    account_deletion,
    observed::Observed,
    plan::{LEARNERS, learner},
    processes::skew,
};
use tests::deployment::{BUS, CONVERSATIONS, USERS};

/// Attempts at a write whose outcome is unknown, before the process gives up and leaves it to the watchdog.
const ATTEMPTS_MAX: u32 = 4;

const RENEWAL: Duration = Duration::from_secs(30);

/// How long a conversation that was let go waits for its next owner.
const GRACE_SECONDS: i64 = 60;

/// How long who asks for a conversation waits until he takes it.
const ASKS_SECONDS: u32 = 15;

/// What becomes of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    /// At the n-th step.
    DiesAt(u32),
    /// At the n-th step, for so long.
    StandsStillAt(u32, Duration),
}

/// How another ingress gets a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// It asks, and takes what is let go.
    Asks,
    /// It takes.
    Seizes,
}

/// What a learner does.
#[derive(Clone, Copy, Debug)]
struct Talk {
    number: u32,
    id: ConversationId,
    turns: u32,
    /// Only the tutor speaks.
    silent: bool,
}

struct Ingress {
    cloud: Cloud,
    name: String,
    journal: Journal,
    bus: Bus,
    /// Where there are any.
    accounts: Option<Accounts>,
    observed: Arc<Observed>,
    steps: u32,
    fate: Fate,
    renewed: Instant,
}

/// The process is dead, or has nothing more to write.
struct Gone;

/// One conversation from its first word to its event.
pub(crate) async fn converse(cloud: Cloud, number: u32, skew_max_seconds: f64, observed: Arc<Observed>) {
    let id = env::random_uuid().as_bytes()[..10].try_into().expect("a UUID has sixteen bytes");
    let (pause, fates, moves, talk) = {
        let mut state = cloud.state();
        let mut fate = || match state.below(6) {
            0 | 1 => Fate::DiesAt(state.below(12)),
            2 => Fate::StandsStillAt(state.below(12), state.seconds(20.0, 300.0)),
            _ => Fate::Lives,
        };
        let fates = (fate(), fate());
        let way = match state.below(4) {
            0 => Some(Move::Asks),
            1 => Some(Move::Seizes),
            _ => None,
        };
        let moves = way.map(|way| (way, state.seconds(1.0, 60.0)));
        let id = ConversationId::new(env::now(), id);
        let talk = Talk { number, id, turns: 1 + state.below(6), silent: state.below(6) == 0 };
        (state.seconds(0.0, 100.0), fates, moves, talk)
    };
    tokio::time::sleep(pause).await;
    // How it ends does not matter here: the oracle looks at what is stored.
    let (one, other) = (format!("ingress-{number}"), format!("ingress-{number}b"));
    let process = cloud.process(&one, skew(&cloud, skew_max_seconds));
    let mut ingress = Ingress::new(&cloud, one, fates.0, &observed);
    process.spawn(async move {
        let _ = ingress.begin(talk).await;
    });
    if let Some((way, after)) = moves {
        tokio::time::sleep(after).await;
        let process = cloud.process(&other, skew(&cloud, skew_max_seconds));
        let mut ingress = Ingress::new(&cloud, other, fates.1, &observed);
        process.spawn(async move {
            let _ = ingress.take_up(talk, way).await;
        });
    }
}

impl Ingress {
    fn new(cloud: &Cloud, name: String, fate: Fate, observed: &Arc<Observed>) -> Self {
        let sdk = cloud.sdk_config(&name);
        let config = JournalConfig {
            table: CONVERSATIONS.into(),
            watchdog_queue_url: queue_url("nova-watchdog"),
            watch_delay_seconds: WATCH_DELAY_SECONDS,
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let has_accounts = !cloud.state().dynamodb.tables[USERS].items.is_empty();
        Self {
            cloud: cloud.clone(),
            name,
            journal: Journal::new(dynamodb, aws_sdk_sqs::Client::new(&sdk), config),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(&sdk), BUS, "nova.ingress"),
            accounts: has_accounts.then(|| account_deletion::open(&sdk)),
            observed: Arc::clone(observed),
            steps: 0,
            fate,
            renewed: Instant::now(),
        }
    }

    async fn begin(&mut self, talk: Talk) -> Result<(), Gone> {
        let user_id = learner(talk.number % LEARNERS);
        if let Some(accounts) = &self.accounts {
            // An account that is to be deleted begins nothing.
            accounts.defaults(&user_id).await.map_err(|_| Gone)?;
        }
        let start = Start {
            conversation_id: talk.id,
            user_id: user_id.clone(),
            image_id: "city-cafe".to_owned(),
            level: Level::B1,
            feedback_language: FeedbackLanguage::English,
            time_zone: ["Asia/Seoul", "UTC"][usize::from(talk.number.is_multiple_of(2))].to_owned(),
            traceparent: Some(TraceParent::of(&talk.id.to_string()).to_string()),
            owner: self.name.clone(),
            voice: None,
        };
        self.step().await;
        let own = self.journal.start(&start, env::now()).await.map_err(|_| Gone)?;
        self.observed.acknowledged(&talk.id.to_string(), &user_id, None);
        self.go_on(talk, own, Vec::new()).await
    }

    /// Takes a conversation from whoever has it, and goes on with it.
    async fn take_up(&mut self, talk: Talk, way: Move) -> Result<(), Gone> {
        if way == Move::Asks {
            self.step().await;
            // Whether or not it is heard, there is an end to asking.
            let _ = self.journal.request_handover(talk.id, &self.name).await;
            let until = Instant::now() + Duration::from_secs(ASKS_SECONDS.into());
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let header = self.journal.header(talk.id).await;
                if header.is_ok_and(|header| header.is_some_and(|header| header.handed_over_as.is_some())) {
                    break;
                }
            }
        }
        self.step().await;
        let mut attempts = 0;
        let own = loop {
            match self.journal.seize(talk.id, &self.name, env::now()).await {
                Ok(seized) => break seized.own,
                Err(JournalError::Held { .. } | JournalError::Service { .. }) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                }
                Err(_) => return Err(Gone),
            }
        };
        let conversation = self.journal.load(talk.id).await.ok().flatten().ok_or(Gone)?;
        self.go_on(talk, own, conversation.turns).await
    }

    async fn go_on(&mut self, talk: Talk, own: Ownership, mut said: Vec<Turn>) -> Result<(), Gone> {
        self.renewed = Instant::now();
        let first = u32::try_from(said.len()).map_err(|_| Gone)?;
        for index in first..talk.turns.max(first + 1) {
            self.speak(&own).await?;
            let turn = self.turn(talk, index);
            let mut attempts = 0;
            loop {
                self.step().await;
                match self.journal.append(&own, &turn).await {
                    Ok(()) => break,
                    Err(JournalError::Service { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                    Err(_) => return Err(Gone),
                }
            }
            let user_id = learner(talk.number % LEARNERS);
            self.observed.acknowledged(&talk.id.to_string(), &user_id, Some(turn.clone()));
            said.push(turn);
        }
        let end = End::of_turns(EndReason::Learner, Usage::default(), &said);
        let mut attempts = 0;
        let completed = loop {
            self.step().await;
            match self.journal.end(&own, &end, env::now()).await {
                Ok(completed) => break completed,
                Err(JournalError::Service { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(_) => return Err(Gone),
            }
        };
        self.step().await;
        self.bus.publish(&[completed.envelope]).await.map_err(|_| Gone)?;
        self.step().await;
        self.journal.mark_published(talk.id, env::now()).await.map_err(|_| Gone)
    }

    /// The time that a turn takes. The lease is renewed meanwhile, and let go when somebody asks for it.
    async fn speak(&mut self, own: &Ownership) -> Result<(), Gone> {
        let until = Instant::now() + self.cloud.state().seconds(2.0, 25.0);
        tokio::time::sleep_until(until).await;
        let wanted = if self.renewed.elapsed() >= RENEWAL {
            self.renewed = Instant::now();
            self.journal.renew(own, env::now()).await
        } else {
            self.journal.is_handover_requested(own).await
        };
        match wanted {
            Ok(false) | Err(JournalError::Service { .. }) => Ok(()),
            Ok(true) => {
                self.step().await;
                let released = Handover { reason: EndReason::Shutdown, progress: Progress::default() };
                let until = env::now() + SignedDuration::from_secs(GRACE_SECONDS);
                // If it fails, it is taken.
                let _ = self.journal.hand_over(own, &released, until).await;
                Err(Gone)
            }
            Err(_) => Err(Gone),
        }
    }

    async fn step(&mut self) {
        let step = self.steps;
        self.steps += 1;
        match self.fate {
            Fate::DiesAt(at) if at == step => self.cloud.doom(&self.name),
            Fate::StandsStillAt(at, how_long) if at == step => {
                self.cloud.freeze(&self.name, how_long);
                // It stands still where it waits next.
                tokio::task::yield_now().await;
            }
            Fate::Lives | Fate::DiesAt(_) | Fate::StandsStillAt(..) => {}
        }
    }

    /// A turn as this ingress heard it: nobody else's is the same.
    fn turn(&self, talk: Talk, index: u32) -> Turn {
        let learner = index.is_multiple_of(2) && !talk.silent;
        Turn {
            index,
            speaker: if learner { Speaker::Learner } else { Speaker::Tutor },
            text: format!("{} I see {index} bicycles at {}", talk.id, self.name),
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
}
