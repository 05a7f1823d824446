//! The asynchronous workers. Each has a binary (`src/bin`), a module with the handler, and a folder with the pure parts and
//! the stores.
//!
//! A worker consumes one queue through `events::runtime`, produces the effect that its header names and publishes the
//! resulting events. Workers never call each other. A handler may receive any message twice, and two deliveries of one
//! message may run concurrently; each header says why the effect is idempotent.

pub mod alerts;
pub mod analysis;
pub mod erasure;
pub mod progress;
pub mod transcript;
pub mod watchdog;

mod confirmed;
mod effects;
mod objects;
mod startup_check;
mod tombstone;
mod write_once;

#[cfg(test)]
mod test_samples;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Arg, Command, CommandFactory as _};
    use events::workers::Worker;

    use super::{alerts, analysis, erasure, progress, transcript, watchdog};

    /// Variables that every consumer needs.
    const CONSUMER_NEEDS: [&str; 3] = ["NOVA_ATTEMPTS_TABLE", "NOVA_DEAD_LETTER_QUEUE_URL", "NOVA_QUEUE_URL"];

    fn command(worker: Worker) -> Command {
        match worker {
            Worker::Transcript => transcript::Config::command(),
            Worker::Analysis => analysis::Config::command(),
            Worker::Progress => progress::Config::command(),
            Worker::Alerts => alerts::Config::command(),
            Worker::Watchdog => watchdog::Config::command(),
            Worker::Erasure => erasure::Config::command(),
        }
    }

    fn variable(argument: &Arg) -> Option<&str> {
        argument.get_env().and_then(|name| name.to_str())
    }

    #[test]
    fn configurations_agree_with_the_list_of_workers() {
        for worker in Worker::ALL {
            let command = command(worker);
            assert_eq!(command.get_name(), worker.name());
            let variables: BTreeSet<&str> = command.get_arguments().filter_map(variable).collect();
            let required = command.get_arguments().filter(|argument| argument.is_required_set());
            let required: BTreeSet<&str> = required.filter_map(variable).collect();
            let needs = worker.spec().needs.iter().map(|resource| resource.variable());
            let listed: BTreeSet<&str> = needs.chain(CONSUMER_NEEDS).collect();
            assert!(required.is_subset(&listed), "{worker} needs {:?}", required.difference(&listed));
            assert!(listed.is_subset(&variables), "{worker} reads no {:?}", listed.difference(&variables));
            let concurrency = command.get_arguments().find(|argument| argument.get_id() == "concurrency");
            let default = concurrency.and_then(|argument| argument.get_default_values().first());
            let expected = worker.spec().concurrency.to_string();
            assert_eq!(default.and_then(|value| value.to_str()), Some(expected.as_str()), "{worker}");
        }
    }

    #[test]
    fn every_worker_of_the_list_has_a_binary_and_no_other_binary_exists() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert_eq!(names, Worker::ALL.iter().map(|worker| format!("{worker}.rs")).collect());
        let manifest = include_str!("../Cargo.toml");
        for worker in Worker::ALL {
            let binary = std::fs::read_to_string(format!("{folder}/{worker}.rs")).unwrap();
            assert!(
                binary.contains(&format!("runtime::main(\"{worker}\",")),
                "{worker} runs under another name"
            );
            let target = format!("name = \"{worker}\"\ntest = false");
            assert!(manifest.contains(&target), "the binary {worker} is not in Cargo.toml");
        }
    }
}
