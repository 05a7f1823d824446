//! PURE. The simulation: conversations on tasks of the ingress, their messages on tasks of the workers, and the decisions of the
//! scaling policies, minute by minute.

use std::collections::VecDeque;

use events::workers::Worker;

use super::{
    policy::{ConversationPolicy, Steps, TargetTracking, WorkerPolicy},
    scenario::Scenario,
};
use crate::{
    cost::Prices,
    service_rates::{INGRESS_VCPU, START_SECONDS, WORKER_VCPU, backlog_per_task, rate},
};

/// Length of a step of the simulation.
const STEP_SECONDS: u32 = 10;

/// Length of a conversation.
const CONVERSATION_SECONDS: u32 = 600;

/// Gigabytes of a task for each of its processors.
const GB_PER_VCPU: f64 = 2.0;

/// The state after a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub minute: u32,
    pub live: f64,
    /// Slots of all running tasks.
    pub slots: f64,
    /// Learners without a slot, who try again.
    pub waiting: f64,
    pub ingress_tasks: u32,
    /// Tasks that the ingress is to have.
    pub ingress_desired: u32,
    pub analysis_tasks: u32,
    /// Messages that wait for the analysis.
    pub backlog: f64,
    /// Age of the oldest of them, in seconds.
    pub delay_seconds: f64,
    /// The largest age at any other worker.
    pub other_delay_seconds: f64,
    /// US dollars for tasks since the start.
    pub usd: f64,
}

/// A simulated scenario.
#[derive(Clone, Debug)]
pub struct Run {
    pub scenario: Scenario,
    pub samples: Vec<Sample>,
}

/// Tasks of a service: some start, the others run.
#[derive(Clone, Debug)]
struct Fleet {
    running: u32,
    desired: u32,
    bounds: (u32, u32),
    /// When each starting task runs.
    starting: VecDeque<u32>,
}

struct WorkerFleet {
    worker: Worker,
    fleet: Fleet,
    tracking: TargetTracking,
    /// Waiting messages by the second of their arrival, oldest first.
    waiting: VecDeque<(u32, f64)>,
}

/// Runs a scenario.
#[must_use]
pub fn simulate(
    scenario: Scenario,
    ingress: ConversationPolicy,
    workers: WorkerPolicy,
    prices: &Prices,
) -> Run {
    let mut simulation = Simulation::new(scenario, ingress, workers);
    let mut samples = Vec::new();
    let mut usd = 0.0;
    for step in 0..scenario.seconds() / STEP_SECONDS {
        let at = step * STEP_SECONDS;
        simulation.step(at);
        usd += simulation.hourly_usd(prices) * f64::from(STEP_SECONDS) / 3600.0;
        if at % 60 == 60 - STEP_SECONDS {
            samples.push(simulation.sample(at / 60, usd));
            simulation.scale(at + STEP_SECONDS);
        }
    }
    Run { scenario, samples }
}

struct Simulation {
    scenario: Scenario,
    policy: ConversationPolicy,
    ingress: Fleet,
    tracking: TargetTracking,
    steps: Steps,
    /// Conversations by the step in which they began, oldest first.
    live: VecDeque<f64>,
    waiting: f64,
    workers: Vec<WorkerFleet>,
}

impl Simulation {
    fn new(scenario: Scenario, policy: ConversationPolicy, workers: WorkerPolicy) -> Self {
        let worker = |worker| WorkerFleet {
            worker,
            fleet: Fleet::new((workers.tasks_min, workers.tasks_max)),
            tracking: TargetTracking::new(
                f64::from(backlog_per_task(worker)),
                workers.out_cooldown_seconds,
                workers.in_cooldown_seconds,
            ),
            waiting: VecDeque::new(),
        };
        let steps = CONVERSATION_SECONDS / STEP_SECONDS;
        Self {
            scenario,
            policy,
            ingress: Fleet::new((policy.tasks_min, policy.tasks_max)),
            tracking: TargetTracking::new(
                policy.target,
                policy.out_cooldown_seconds,
                policy.in_cooldown_seconds,
            ),
            steps: Steps::default(),
            live: (0..steps).map(|_| 0.0).collect(),
            waiting: 0.0,
            workers: Worker::ALL.into_iter().filter(|of| *of != Worker::Erasure).map(worker).collect(),
        }
    }

    /// Ten seconds of conversations and messages.
    fn step(&mut self, at: u32) {
        let seconds = f64::from(STEP_SECONDS);
        self.ingress.begin(at);
        let ended = self.live.pop_front().unwrap_or_default();
        let free = (self.slots() - self.live_now()).max(0.0);
        let wanted = self.waiting + self.scenario.starts(at) * seconds;
        let admitted = wanted.min(free);
        self.live.push_back(admitted);
        self.waiting = wanted - admitted;
        let conversations = ended + self.scenario.replayed(at) * seconds;
        for worker in &mut self.workers {
            worker.fleet.begin(at);
            worker.waiting.push_back((at, conversations * rate(worker.worker).messages));
            worker.work(f64::from(worker.fleet.running) * rate(worker.worker).per_second() * seconds);
        }
    }

    /// The decisions at the end of a minute. Both kinds of policies of the ingress speak; to add tasks one suffices.
    fn scale(&mut self, at: u32) {
        let each = self.live_now() / f64::from(self.ingress.running.max(1));
        let desired = self.ingress.desired;
        let tracked = self.tracking.decide(at, each, self.ingress.running, desired);
        let stepped = self.steps.decide(at, each, desired, &self.policy);
        let wanted = if tracked.max(stepped) > desired { tracked.max(stepped) } else { tracked.min(stepped) };
        self.ingress.order(at, wanted);
        for worker in &mut self.workers {
            let each = worker.backlog() / f64::from(worker.fleet.running.max(1));
            let fleet = &mut worker.fleet;
            let wanted = worker.tracking.decide(at, each, fleet.running, fleet.desired);
            fleet.order(at, wanted);
        }
    }

    fn sample(&self, minute: u32, usd: f64) -> Sample {
        let analysis = self.workers.iter().find(|of| of.worker == Worker::Analysis);
        let others = self.workers.iter().filter(|of| of.worker != Worker::Analysis);
        Sample {
            minute,
            live: self.live_now(),
            slots: self.slots(),
            waiting: self.waiting,
            ingress_tasks: self.ingress.running,
            ingress_desired: self.ingress.desired,
            analysis_tasks: analysis.map_or(0, |of| of.fleet.running),
            backlog: analysis.map_or(0.0, WorkerFleet::backlog),
            delay_seconds: analysis.map_or(0.0, |of| of.delay_seconds(minute)),
            other_delay_seconds: others.map(|of| of.delay_seconds(minute)).fold(0.0, f64::max),
            usd,
        }
    }

    fn live_now(&self) -> f64 {
        self.live.iter().sum()
    }

    fn slots(&self) -> f64 {
        f64::from(self.ingress.running) * self.policy.per_task
    }

    fn hourly_usd(&self, prices: &Prices) -> f64 {
        let vcpu = prices.fargate_vcpu_hour.usd + GB_PER_VCPU * prices.fargate_gb_hour.usd;
        let workers: u32 = self.workers.iter().map(|of| of.fleet.paid()).sum();
        let spot = prices.fargate_spot_share.usd;
        vcpu * (f64::from(self.ingress.paid()) * INGRESS_VCPU + f64::from(workers) * WORKER_VCPU * spot)
    }
}

impl WorkerFleet {
    /// Handles as many messages, the oldest first.
    fn work(&mut self, mut done: f64) {
        while let Some((_, waiting)) = self.waiting.front_mut() {
            if *waiting > done {
                *waiting -= done;
                return;
            }
            done -= *waiting;
            self.waiting.pop_front();
        }
    }

    fn backlog(&self) -> f64 {
        self.waiting.iter().map(|(_, waiting)| waiting).sum()
    }

    /// Age of the oldest message at the end of a minute.
    fn delay_seconds(&self, minute: u32) -> f64 {
        let now = (minute + 1) * 60;
        self.waiting.front().map_or(0.0, |(at, _)| f64::from(now.saturating_sub(*at)))
    }
}

impl Fleet {
    fn new(bounds: (u32, u32)) -> Self {
        Self { running: bounds.0, desired: bounds.0, bounds, starting: VecDeque::new() }
    }

    fn order(&mut self, at: u32, wanted: u32) {
        let wanted = wanted.clamp(self.bounds.0, self.bounds.1);
        for _ in self.desired..wanted {
            self.starting.push_back(at + START_SECONDS);
        }
        for _ in wanted..self.desired {
            if self.starting.pop_back().is_none() {
                self.running -= 1;
            }
        }
        self.desired = wanted;
    }

    fn begin(&mut self, at: u32) {
        while self.starting.front().is_some_and(|from| *from <= at) {
            self.starting.pop_front();
            self.running += 1;
        }
    }

    /// A starting task is paid, too.
    fn paid(&self) -> u32 {
        self.desired
    }
}

impl Run {
    /// The largest value of a sample.
    #[must_use]
    pub fn most(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(value).fold(0.0, f64::max)
    }

    /// Minutes at which the desired number of tasks began to move in the other direction.
    #[must_use]
    pub fn reversals(&self) -> Vec<u32> {
        let mut reversals = Vec::new();
        let mut last = std::cmp::Ordering::Equal;
        for pair in self.samples.windows(2) {
            let moved = pair[1].ingress_desired.cmp(&pair[0].ingress_desired);
            if moved.is_ne() {
                if last.is_ne() && moved != last {
                    reversals.push(pair[1].minute);
                }
                last = moved;
            }
        }
        reversals
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::{cost::PriceList, deploy::StackKind, scaling::svg};

    /// Ages of the oldest message at which the alarms of a queue speak.
    fn alarm_seconds(name: &str) -> f64 {
        let queue = StackKind::Queue(Worker::Analysis).template().unwrap();
        queue.parameters[name].default_value().unwrap().parse().unwrap()
    }

    fn run(scenario: Scenario) -> Run {
        let prices = PriceList::checked_in().unwrap().prices;
        simulate(scenario, ConversationPolicy::recommended(), WorkerPolicy::recommended(), &prices)
    }

    /// The default of a parameter, or the value itself.
    fn number(kind: StackKind, value: &Value) -> f64 {
        let template = kind.template().unwrap();
        let text = value["Fn::Ref"].as_str().map_or_else(
            || value.to_string(),
            |parameter| template.parameters[parameter].default_value().unwrap(),
        );
        text.trim_matches('"').parse().unwrap_or_else(|_| panic!("{value} is no number"))
    }

    #[test]
    fn scaling_policies_of_the_templates_are_those_of_the_simulation() {
        let (policy, worker) = (ConversationPolicy::recommended(), WorkerPolicy::recommended());
        let api = StackKind::Api.template().unwrap();
        let of = |resource: &str| &api.resources[resource]["Properties"];
        let value = |value: &Value| number(StackKind::Api, value);
        let target = &of("ScalableTarget");
        assert_eq!(value(&target["MinCapacity"]), f64::from(policy.tasks_min));
        assert_eq!(value(&target["MaxCapacity"]), f64::from(policy.tasks_max));
        let parameter = |name: &str| api.parameters[name].default_value().unwrap().parse::<f64>().unwrap();
        assert_eq!(parameter("ConversationsPerTask"), policy.per_task);
        let tracking = &of("ScaleOnConversations")["TargetTrackingScalingPolicyConfiguration"];
        assert_eq!(value(&tracking["TargetValue"]), policy.target);
        assert_eq!(value(&tracking["ScaleOutCooldown"]), f64::from(policy.out_cooldown_seconds));
        assert_eq!(value(&tracking["ScaleInCooldown"]), f64::from(policy.in_cooldown_seconds));
        let step = |name: &str| &of(name)["StepScalingPolicyConfiguration"];
        assert_eq!(
            value(&step("StepOut")["StepAdjustments"][0]["ScalingAdjustment"]),
            f64::from(policy.step_out)
        );
        assert_eq!(value(&step("StepIn")["StepAdjustments"][0]["ScalingAdjustment"]), -1.0);
        for name in ["StepOut", "StepIn"] {
            assert_eq!(value(&step(name)["Cooldown"]), f64::from(policy.step_cooldown_seconds), "{name}");
        }
        assert_eq!(value(&of("StepOutAlarm")["Threshold"]), policy.step_out_percent);
        assert_eq!(of("StepOutAlarm")["EvaluationPeriods"], policy.step_out_minutes);
        assert_eq!(of("StepInAlarm")["EvaluationPeriods"], policy.step_in_minutes);
        let idle = of("StepInAlarm")["Metrics"][0]["Expression"]["Fn::Sub"].as_str().unwrap();
        let expected =
            format!("cpu < {} AND FILL(live, 0) < ${{ConversationsTarget}} / 2", policy.step_in_percent);
        assert!(idle.contains(&expected), "{idle}");

        for each in Worker::ALL {
            let kind = StackKind::Worker(each);
            let template = kind.template().unwrap();
            let target = &template.resources["ScalableTarget"]["Properties"];
            assert_eq!(number(kind, &target["MinCapacity"]), f64::from(worker.tasks_min));
            assert_eq!(number(kind, &target["MaxCapacity"]), f64::from(worker.tasks_max));
            let policy = &template.resources["ScaleOnBacklog"]["Properties"];
            let policy = &policy["TargetTrackingScalingPolicyConfiguration"];
            assert_eq!(policy["ScaleOutCooldown"], worker.out_cooldown_seconds);
            assert_eq!(policy["ScaleInCooldown"], worker.in_cooldown_seconds);
            assert_eq!(policy["TargetValue"]["Fn::Ref"], "BacklogPerTask");
            assert_eq!(kind.own_parameters("nova")["BacklogPerTask"], backlog_per_task(each).to_string());
        }
    }

    #[test]
    fn school_day_refuses_nobody_and_no_message_is_as_late_as_a_warning() {
        let day = run(Scenario::SchoolDay);
        assert_eq!(day.most(|sample| sample.waiting).round(), 0.0, "learners wait for a slot");
        assert!(day.most(|sample| f64::from(sample.ingress_tasks)) > 3.0, "the day needs no scaling");
        let delay = day.most(|sample| sample.delay_seconds.max(sample.other_delay_seconds));
        assert!(delay < alarm_seconds("AgeWarningSeconds"), "{delay}");
        let last = day.samples.last().unwrap();
        assert!((1.0..5.0).contains(&last.usd), "a day's tasks cost {} dollars", last.usd);
    }

    /// A sweep after an outage brings everything at once: it is done before an operator has to act, and leaves no tasks behind.
    #[test]
    fn surge_is_worked_off_before_the_critical_alarm_and_tasks_return_to_their_least_number() {
        let surge = run(Scenario::Surge);
        assert!(surge.most(|sample| sample.backlog) > 1_000.0, "there is no surge");
        let most = f64::from(WorkerPolicy::recommended().tasks_max);
        assert_eq!(surge.most(|sample| f64::from(sample.analysis_tasks)), most);
        let others = surge.most(|sample| sample.other_delay_seconds);
        assert!(others < alarm_seconds("AgeWarningSeconds"), "{others}");
        let delay = surge.most(|sample| sample.delay_seconds);
        assert!(delay < alarm_seconds("AgeCriticalSeconds"), "{delay}");
        let last = surge.samples.last().unwrap();
        assert_eq!((last.backlog.round(), last.waiting.round()), (0.0, 0.0));
        assert_eq!((last.ingress_desired, last.analysis_tasks), (2, 1));
    }

    #[test]
    fn number_of_tasks_does_not_oscillate() {
        for scenario in Scenario::ALL {
            let run = run(scenario);
            let reversals = run.reversals();
            let hours = usize::try_from(scenario.seconds() / 3_600).unwrap();
            // Each lesson is a hill: up and down once.
            assert!(reversals.len() <= 2 * hours, "{}: {reversals:?}", scenario.name());
            for pair in reversals.windows(2) {
                assert!(pair[1] - pair[0] >= 10, "{}: {reversals:?}", scenario.name());
            }
        }
    }

    /// With a lower bar for removing tasks than for adding them, the same load adds and removes the same task in turns.
    #[test]
    fn step_inwards_without_its_fifteen_minutes_oscillates() {
        let prices = PriceList::checked_in().unwrap().prices;
        let hasty = ConversationPolicy {
            step_in_minutes: 1,
            step_in_percent: 75.0,
            ..ConversationPolicy::recommended()
        };
        let hasty = ConversationPolicy { target: 300.0, per_task: 110.0, step_out_percent: 40.0, ..hasty };
        let hasty = simulate(Scenario::SchoolDay, hasty, WorkerPolicy::recommended(), &prices).reversals();
        let held = run(Scenario::SchoolDay).reversals();
        assert!(hasty.len() > 2 * held.len(), "{hasty:?} {held:?}");
    }

    #[test]
    fn plots_are_those_of_the_simulation() {
        for scenario in Scenario::ALL {
            let path = format!("{}/scaling/{}.svg", env!("CARGO_MANIFEST_DIR"), scenario.name());
            let drawn = svg(&run(scenario)).unwrap();
            if std::env::var_os("NOVA_BLESS").is_some() {
                fs::write(&path, &drawn).unwrap();
            }
            assert!(fs::read_to_string(&path).unwrap() == drawn, "{path} is old; NOVA_BLESS=1 draws it");
        }
    }
}
