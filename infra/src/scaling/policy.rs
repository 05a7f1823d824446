//! PURE. The scaling policies as the templates have them, and what Application Auto Scaling and CloudWatch make of them: three
//! minutes above a target add tasks, fifteen below nine tenths of it remove some.

use crate::service_rates::{CONVERSATION_CPU_MS, INGRESS_VCPU};

/// Minutes above a target before tasks are added, and below before they are removed.
const OUT_MINUTES: usize = 3;
const IN_MINUTES: usize = 15;

/// Below this share of the target tasks are removed.
const IN_SHARE: f64 = 0.9;

/// The service of the ingress: parameters and policies of `infra/templates/api.yaml`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConversationPolicy {
    pub tasks_min: u32,
    pub tasks_max: u32,
    /// Conversations that a task admits.
    pub per_task: f64,
    /// Conversations a task that target tracking aims at.
    pub target: f64,
    pub out_cooldown_seconds: u32,
    pub in_cooldown_seconds: u32,
    /// Percent of the processor above which `step_out` tasks are added, and below which one is removed.
    pub step_out_percent: f64,
    pub step_in_percent: f64,
    pub step_out: u32,
    pub step_cooldown_seconds: u32,
    pub step_out_minutes: usize,
    pub step_in_minutes: usize,
}

/// The service of a worker: parameters and policy of `infra/templates/worker.yaml`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkerPolicy {
    pub tasks_min: u32,
    pub tasks_max: u32,
    pub out_cooldown_seconds: u32,
    pub in_cooldown_seconds: u32,
}

impl ConversationPolicy {
    /// What the templates have to have.
    #[must_use]
    pub fn recommended() -> Self {
        Self {
            tasks_min: 2,
            tasks_max: 10,
            per_task: 110.0,
            target: 48.0,
            out_cooldown_seconds: 60,
            in_cooldown_seconds: 300,
            step_out_percent: 80.0,
            step_in_percent: 50.0,
            step_out: 2,
            step_cooldown_seconds: 300,
            step_out_minutes: 2,
            step_in_minutes: 15,
        }
    }
}

impl WorkerPolicy {
    /// What the template has to have.
    #[must_use]
    pub fn recommended() -> Self {
        Self { tasks_min: 1, tasks_max: 6, out_cooldown_seconds: 60, in_cooldown_seconds: 120 }
    }
}

/// Percent of the processor that conversations use on a task.
pub(super) fn processor_percent(conversations: f64) -> f64 {
    100.0 * conversations * CONVERSATION_CPU_MS / 1000.0 / INGRESS_VCPU
}

/// One policy that follows a target, with its history of a value a minute.
#[derive(Clone, Debug)]
pub(super) struct TargetTracking {
    target: f64,
    cooldowns: (u32, u32),
    history: Vec<f64>,
    /// Until when it adds no tasks, and removes none.
    quiet_until: (u32, u32),
}

impl TargetTracking {
    pub(super) fn new(target: f64, out_cooldown_seconds: u32, in_cooldown_seconds: u32) -> Self {
        let cooldowns = (out_cooldown_seconds, in_cooldown_seconds);
        Self { target, cooldowns, history: Vec::new(), quiet_until: (0, 0) }
    }

    /// The number of tasks that it wants `at` a second, after a minute with this value for each of `running` tasks.
    pub(super) fn decide(&mut self, at: u32, value: f64, running: u32, desired: u32) -> u32 {
        self.history.push(value);
        let wanted = ceil(f64::from(running) * value / self.target);
        if last(&self.history, OUT_MINUTES, |value| value > self.target) && wanted > desired {
            if at < self.quiet_until.0 {
                return desired;
            }
            self.quiet_until = (at + self.cooldowns.0, at + self.cooldowns.1);
            return wanted;
        }
        let is_low = last(&self.history, IN_MINUTES, |value| value < IN_SHARE * self.target);
        if is_low && wanted < desired && at >= self.quiet_until.1 {
            self.quiet_until.1 = at + self.cooldowns.1;
            return wanted;
        }
        desired
    }
}

/// The two steps over the processor's use.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    percents: Vec<f64>,
    idle: Vec<f64>,
    quiet_until: u32,
}

impl Steps {
    pub(super) fn decide(&mut self, at: u32, each: f64, desired: u32, policy: &ConversationPolicy) -> u32 {
        let percent = processor_percent(each).min(100.0);
        let is_idle = percent < policy.step_in_percent && each < policy.target / 2.0;
        self.percents.push(percent);
        self.idle.push(f64::from(u8::from(is_idle)));
        if at < self.quiet_until {
            return desired;
        }
        let next =
            if last(&self.percents, policy.step_out_minutes, |percent| percent > policy.step_out_percent) {
                desired + policy.step_out
            } else if last(&self.idle, policy.step_in_minutes, |idle| idle >= 1.0) {
                desired.saturating_sub(1)
            } else {
                return desired;
            };
        self.quiet_until = at + policy.step_cooldown_seconds;
        next
    }
}

/// Whether the last `minutes` values all fulfil a condition.
fn last(history: &[f64], minutes: usize, condition: impl Fn(f64) -> bool) -> bool {
    history.len() >= minutes && history.iter().rev().take(minutes).all(|value| condition(*value))
}

/// The smallest number of tasks that is at least `exact`.
fn ceil(exact: f64) -> u32 {
    (0..=1_000).find(|tasks| f64::from(*tasks) >= exact).unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_tracking_acts_after_three_minutes_above_and_fifteen_below() {
        let mut policy = TargetTracking::new(100.0, 60, 300);
        let values = [150.0, 150.0, 150.0].into_iter().zip(0..);
        let wanted: Vec<u32> =
            values.map(|(value, minute)| policy.decide(minute * 60, value, 2, 2)).collect();
        assert_eq!(wanted, [2, 2, 3]);
        let first_in = (3..).find(|minute| policy.decide(minute * 60, 50.0, 3, 3) < 3);
        assert_eq!(first_in, Some(17));
    }

    /// The processor is not full before a task is: learners are refused for lack of a slot, and never get late audio.
    #[test]
    fn full_task_leaves_a_fifth_of_its_processor() {
        let policy = ConversationPolicy::recommended();
        let full = processor_percent(policy.per_task);
        assert!((60.0..policy.step_out_percent).contains(&full), "{full}");
    }
}
