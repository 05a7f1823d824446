//! The ingresses of the simulation, which journal conversations. Each is a process that a seed may kill or freeze at any
//! step, and a conversation may move from one to another that is alive.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use events::{
    contract::{ConversationId, EndReason, Turn},
    journal::{Handover, Journal, JournalError, Ownership, Progress, WATCH_DELAY_SECONDS},
    runtime::env,
};
use ingress::account::accounts::Accounts;
use jiff::SignedDuration;
use tests::{
    deployment::{USERS, outputs},
    journalled::{self, Acknowledgements, Owned, Process, Writer},
    model::Cloud,
};
use tokio::time::Instant;

use crate::{
    account_deletion,
    plan::{LEARNERS, learner},
    processes::skew,
};

/// Retries of a write whose outcome is unknown. After them the process ends and leaves the conversation to the watchdog.
const RETRIES_MAX: u32 = 4;

/// The interval between two renewals of a lease.
const RENEWAL: Duration = Duration::from_secs(30);

/// Seconds for which a conversation waits for its next owner after a handover.
const GRACE_SECONDS: i64 = 60;

/// The longest wait for a requested handover.
const HANDOVER_WAIT: Duration = Duration::from_secs(15);

/// What a seed does to the process of an ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Kills it at this step.
    Kill(u32),
    /// Freezes it at this step, for this time.
    Freeze(u32, Duration),
}

/// How another ingress becomes the owner of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// It requests a handover, and then takes over.
    Handover,
    /// It takes over.
    Takeover,
}

/// A conversation of a seed.
#[derive(Clone, Copy, Debug)]
struct Planned {
    number: u32,
    id: ConversationId,
    turns: u32,
    /// Only the tutor speaks.
    is_silent: bool,
}

/// An ingress.
struct Ingress {
    writer: Writer,
    /// The accounts, if the seed has any.
    accounts: Option<Accounts>,
    process: FaultyProcess,
}

/// The process of an ingress, with its fault.
struct FaultyProcess {
    cloud: Cloud,
    name: String,
    journal: Journal,
    fault: Fault,
    steps: u32,
    renewed_at: Instant,
}

/// Runs the conversation `number` of a seed, from its first turn to its event.
pub(crate) async fn run(
    cloud: Cloud,
    number: u32,
    skew_max_seconds: f64,
    acknowledgements: Arc<Acknowledgements>,
) {
    let random = env::random_uuid().as_bytes()[..10].try_into().expect("a UUID has sixteen bytes");
    let (pause, faults, next_owner, planned) = {
        let mut state = cloud.state();
        let mut fault = || match state.below(6) {
            0 | 1 => Fault::Kill(state.below(12)),
            2 => Fault::Freeze(state.below(12), state.seconds(20.0, 300.0)),
            _ => Fault::None,
        };
        let faults = (fault(), fault());
        let next_owner = match state.below(4) {
            0 => Some(Move::Handover),
            1 => Some(Move::Takeover),
            _ => None,
        };
        let next_owner = next_owner.map(|by| (by, state.seconds(1.0, 60.0)));
        let id = ConversationId::new(env::now(), random);
        let planned = Planned { number, id, turns: 1 + state.below(6), is_silent: state.below(6) == 0 };
        (state.seconds(0.0, 100.0), faults, next_owner, planned)
    };
    tokio::time::sleep(pause).await;
    // The results of the tasks do not matter: the oracle compares what is stored.
    let (first, second) = (format!("ingress-{number}"), format!("ingress-{number}b"));
    let process = cloud.process(&first, skew(&cloud, skew_max_seconds));
    let mut ingress = Ingress::new(&cloud, first, faults.0, &acknowledgements);
    process.spawn(async move {
        let _ = ingress.start(planned).await;
    });
    if let Some((by, after)) = next_owner {
        tokio::time::sleep(after).await;
        let process = cloud.process(&second, skew(&cloud, skew_max_seconds));
        let mut ingress = Ingress::new(&cloud, second, faults.1, &acknowledgements);
        process.spawn(async move {
            let _ = ingress.take_over(planned, by).await;
        });
    }
}

impl Ingress {
    fn new(cloud: &Cloud, name: String, fault: Fault, acknowledgements: &Arc<Acknowledgements>) -> Self {
        let (sdk, outputs) = (cloud.sdk_config(&name), outputs());
        let journal = journalled::journal(&sdk, &outputs, WATCH_DELAY_SECONDS);
        let bus = journalled::bus(&sdk, &outputs);
        let has_accounts = !cloud.state().dynamodb.tables[USERS].items.is_empty();
        Self {
            writer: Writer::new(journal.clone(), bus, acknowledgements, RETRIES_MAX),
            accounts: has_accounts.then(|| account_deletion::open(&sdk)),
            process: FaultyProcess {
                cloud: cloud.clone(),
                name,
                journal,
                fault,
                steps: 0,
                renewed_at: Instant::now(),
            },
        }
    }

    async fn start(&mut self, planned: Planned) -> anyhow::Result<()> {
        let user_id = learner(planned.number % LEARNERS);
        if let Some(accounts) = &self.accounts {
            // After a deletion request the account starts no conversation.
            accounts.defaults(&user_id).await.ok().context("the account starts no conversation")?;
        }
        let time_zone = ["Asia/Seoul", "UTC"][usize::from(planned.number.is_multiple_of(2))];
        let start = journalled::start(planned.id, user_id, time_zone, &self.process.name);
        self.process.step().await;
        let owned = self.writer.start(&start).await?;
        self.finish(planned, owned, Vec::new()).await
    }

    /// Becomes the owner of a conversation and continues it.
    async fn take_over(&mut self, planned: Planned, by: Move) -> anyhow::Result<()> {
        let journal = self.writer.journal().clone();
        if by == Move::Handover {
            self.process.step().await;
            // The wait is bounded whether or not the request was written.
            let _ = journal.request_handover(planned.id, &self.process.name).await;
            let deadline = Instant::now() + HANDOVER_WAIT;
            while Instant::now() < deadline {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let header = journal.header(planned.id).await;
                if header.is_ok_and(|header| header.is_some_and(|header| header.handed_over_as.is_some())) {
                    break;
                }
            }
        }
        self.process.step().await;
        let mut retries = 0;
        let own = loop {
            match journal.seize(planned.id, &self.process.name, env::now()).await {
                Err(JournalError::Held { .. } | JournalError::Service { .. }) if retries < RETRIES_MAX => {
                    retries += 1;
                }
                seized => break seized?.own,
            }
        };
        let conversation = journal.load(planned.id).await?.context("the conversation was deleted")?;
        let owned = Owned { own, user_id: learner(planned.number % LEARNERS) };
        self.finish(planned, owned, conversation.turns).await
    }

    /// Appends the turns after the `written` ones, at least one, and ends and publishes the conversation.
    async fn finish(&mut self, planned: Planned, owned: Owned, written: Vec<Turn>) -> anyhow::Result<()> {
        self.process.renewed_at = Instant::now();
        let first = u32::try_from(written.len())?;
        let place = self.process.name.clone();
        let turns = (first..planned.turns.max(first + 1))
            .map(|index| journalled::turn(planned.id, index, planned.is_silent, &place));
        let completed = self.writer.write(&mut self.process, &owned, written, turns).await?;
        self.writer.publish(&mut self.process, planned.id, completed).await
    }
}

impl FaultyProcess {
    async fn step(&mut self) {
        let step = self.steps;
        self.steps += 1;
        match self.fault {
            Fault::Kill(at) if at == step => self.cloud.doom(&self.name),
            Fault::Freeze(at, duration) if at == step => {
                self.cloud.freeze(&self.name, duration);
                // The freeze takes effect at the next await.
                tokio::task::yield_now().await;
            }
            Fault::None | Fault::Kill(_) | Fault::Freeze(..) => {}
        }
    }
}

impl Process for FaultyProcess {
    async fn before_call(&mut self) -> anyhow::Result<()> {
        self.step().await;
        Ok(())
    }

    /// Waits for as long as a turn takes, renews the lease when it is due, and hands the conversation over on request.
    async fn before_turn(&mut self, own: &Ownership) -> anyhow::Result<()> {
        let until = Instant::now() + self.cloud.state().seconds(2.0, 25.0);
        tokio::time::sleep_until(until).await;
        let is_requested = if self.renewed_at.elapsed() >= RENEWAL {
            self.renewed_at = Instant::now();
            self.journal.renew(own, env::now()).await
        } else {
            self.journal.is_handover_requested(own).await
        };
        match is_requested {
            Ok(false) | Err(JournalError::Service { .. }) => Ok(()),
            Ok(true) => {
                self.step().await;
                let handover = Handover { reason: EndReason::Shutdown, progress: Progress::default() };
                let until = env::now() + SignedDuration::from_secs(GRACE_SECONDS);
                // After a failure the next owner takes over.
                let _ = self.journal.hand_over(own, &handover, until).await;
                bail!("the conversation was handed over")
            }
            Err(error) => Err(error.into()),
        }
    }
}
