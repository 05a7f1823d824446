//! The options of a consumer up to their limits.

use clap::Parser;

use super::super::{CONCURRENCY_MAX, ConsumerConfig, POLL_SECONDS_MAX};
use crate::runtime::delivery::FAILURES_MAX_LIMIT;

#[derive(Debug, Parser)]
struct Worker {
    #[command(flatten)]
    consumer: ConsumerConfig,
}

fn parse(name: &str, value: u64) -> Result<ConsumerConfig, String> {
    let given = format!("--{name}={value}");
    let arguments = ["worker", "--queue-url=q", "--dead-letter-queue-url=d", "--attempts-table=t", &given];
    Worker::try_parse_from(arguments).map(|worker| worker.consumer).map_err(|error| error.to_string())
}

#[test]
fn options_are_taken_up_to_their_limits_and_no_further() {
    let options = [
        ("concurrency", 1, u64::from(CONCURRENCY_MAX)),
        ("failures-max", 1, u64::from(FAILURES_MAX_LIMIT)),
        ("poll-seconds", 1, POLL_SECONDS_MAX),
        ("drain-seconds", 0, 900),
    ];
    for (name, least, most) in options {
        for value in [least, most] {
            assert!(parse(name, value).is_ok(), "{name} {value}");
        }
        for value in [least.checked_sub(1), Some(most + 1)].into_iter().flatten() {
            let refused = parse(name, value).unwrap_err();
            assert!(refused.contains(name) && refused.contains(&most.to_string()), "{refused}");
        }
    }
}
