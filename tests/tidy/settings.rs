//! The settings in the task definitions against the arguments of the binaries: what a binary requires is there, and nothing is
//! there that no binary reads.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory as _};
use events::{runtime::SHARED_VARIABLES, workers::Worker};
use infra::deploy::{StackKind, Template};
use serde_json::Value;
use workers::{alerts, analysis, erasure, progress, transcript, watchdog};

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

/// Variables that `command` reads, and those among them without which it does not start.
fn variables(command: &Command) -> (BTreeSet<String>, BTreeSet<String>) {
    let name = |argument: &clap::Arg| argument.get_env().map(|name| name.to_string_lossy().into_owned());
    let required = command.get_arguments().filter(|argument| argument.is_required_set());
    let shared = SHARED_VARIABLES.map(str::to_owned);
    let read = command.get_arguments().filter_map(name).chain(shared).collect();
    (read, required.filter_map(name).collect())
}

/// Names of the environment and of the secrets of the only container of a template.
fn settings(template: &Template) -> BTreeSet<String> {
    let container = &template.resources["TaskDefinition"]["Properties"]["ContainerDefinitions"][0];
    let list = |key: &str| container[key].as_array().cloned().unwrap_or_default();
    let both = [list("Environment"), list("Secrets")].concat();
    both.iter()
        .map(|setting: &Value| setting["Name"].as_str().expect("a setting has a name").to_owned())
        .collect()
}

#[test]
fn task_definitions_configure_each_binary_with_what_it_reads() {
    let api = settings(&StackKind::Api.template().unwrap());
    let (read, required) = variables(&ingress::config::Config::command());
    assert!(required.is_subset(&api), "the ingress lacks {:?}", required.difference(&api));
    assert!(api.is_subset(&read), "the ingress reads no {:?}", api.difference(&read));

    let worker = settings(&StackKind::Worker(Worker::Progress).template().unwrap());
    let mut read_by_any = BTreeSet::new();
    for one in Worker::ALL {
        let (read, required) = variables(&command(one));
        assert!(required.is_subset(&worker), "{one} lacks {:?}", required.difference(&worker));
        read_by_any.extend(read);
    }
    assert!(worker.is_subset(&read_by_any), "no worker reads {:?}", worker.difference(&read_by_any));
}

/// Behind CloudFront and a load balancer, some defaults are wrong.
#[test]
fn ingress_behind_proxies_has_the_settings_for_them() {
    let api = StackKind::Api.template().unwrap();
    let names = settings(&api);
    for name in ["NOVA_TRUSTED_PROXIES", "NOVA_KEEP_ALIVE_SECONDS", "NOVA_WEB_ORIGIN", "NOVA_REDIS_URL"] {
        assert!(names.contains(name), "{name}");
    }
    let container = &api.resources["TaskDefinition"]["Properties"]["ContainerDefinitions"][0];
    let keep_alive = container["Environment"].as_array().unwrap().iter();
    let mut keep_alive = keep_alive.filter(|setting| setting["Name"] == "NOVA_KEEP_ALIVE_SECONDS");
    let keep_alive: u64 = keep_alive.next().unwrap()["Value"].as_str().unwrap().parse().unwrap();
    let attributes =
        api.resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"].as_array().unwrap();
    let idle =
        attributes.iter().find(|attribute| attribute["Key"] == "idle_timeout.timeout_seconds").unwrap();
    let idle: u64 = idle["Value"].as_str().unwrap().parse().unwrap();
    assert!(keep_alive > idle, "the load balancer would use connections that the ingress has closed");
}
