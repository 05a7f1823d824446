//! The alarms of all templates: their figures, their runbooks, and what they do over vectors of samples.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use events::cloudwatch::Alarm;
use serde_json::json;

use super::*;
use crate::local::alarms::{
    composite::Composite,
    math::Math,
    periods,
    rule::{Rule, StateValue},
    samples::{Metric, Sample, Samples, Selector},
};

/// The alarms of all templates as on AWS, with the names of exports in place of their values.
static ALL: LazyLock<Vec<Definition>> =
    LazyLock::new(|| StackKind::all().flat_map(|kind| of_stack(kind, &|_| None).unwrap()).collect());

fn find(name: &str) -> &'static Definition {
    ALL.iter().find(|alarm| alarm.name == name).unwrap_or_else(|| panic!("there is no alarm {name}"))
}

fn alarm(definition: &Definition) -> Alarm {
    let mut properties = definition.properties.clone();
    for (name, value) in
        [("AlarmArn", json!("arn")), ("StateValue", json!("OK")), ("StateUpdatedTimestamp", json!(0))]
    {
        properties[name] = value;
    }
    serde_json::from_value(properties).unwrap()
}

/// M of N, the threshold, `b`reaching or `n`ot where data is missing, and the topic: `C`ritical, `W`arning or `-` for an alarm that
/// a composite alarm announces.
fn figures(definition: &Definition) -> (u64, u64, f64, char, char) {
    let properties = &definition.properties;
    let n = properties["EvaluationPeriods"].as_u64().unwrap();
    let missing = properties["TreatMissingData"].as_str().unwrap().chars().next().unwrap();
    let action = properties["AlarmActions"][0].as_str().unwrap_or("-");
    let topic = match action.strip_prefix("nova-alerts-") {
        Some(topic) => topic.chars().next().unwrap().to_ascii_uppercase(),
        None => '-',
    };
    let m = properties["DatapointsToAlarm"].as_u64().unwrap_or(n);
    (m, n, properties["Threshold"].as_f64().unwrap(), missing, topic)
}

#[test]
fn alarms_have_the_figures_that_were_decided() {
    let figures_of = |name: &str| figures(find(name));
    for (name, expected) in [
        ("nova-transcript-depth", (5, 5, 10_000.0, 'n', 'W')),
        ("nova-analysis-depth", (5, 5, 300.0, 'n', 'W')),
        ("nova-transcript-age-warning", (2, 3, 300.0, 'n', 'W')),
        ("nova-transcript-age-critical", (2, 3, 900.0, 'n', 'C')),
        ("nova-analysis-age-warning", (2, 3, 600.0, 'n', 'W')),
        ("nova-analysis-age-critical", (2, 3, 1800.0, 'n', 'C')),
        ("nova-progress-poison", (1, 1, 10.0, 'n', 'W')),
        ("nova-progress-time-to-drain", (5, 5, 1800.0, 'n', 'W')),
        ("nova-progress-silent", (5, 5, 0.0, 'n', '-')),
        ("nova-progress-heartbeat", (3, 3, 1.0, 'b', '-')),
        ("nova-progress-breaker", (5, 5, 0.0, 'n', '-')),
        ("nova-progress-dlq", (1, 1, 0.0, 'n', 'C')),
        ("nova-events-dlq", (1, 1, 0.0, 'n', 'C')),
        ("nova-progress-delivery", (1, 1, 0.0, 'n', 'C')),
        ("nova-progress-lost-leases", (1, 1, 5.0, 'n', 'W')),
        ("nova-progress-crashes", (1, 1, 0.0, 'n', 'W')),
        ("nova-progress-slow-stop", (1, 1, 100_000.0, 'n', 'W')),
        ("nova-progress-cpu", (1, 1, 80.0, 'b', 'W')),
        ("nova-progress-memory", (3, 3, 85.0, 'b', 'W')),
        ("nova-put-events", (2, 3, 0.0, 'n', 'W')),
        ("nova-unpublished", (2, 2, 120.0, 'n', 'C')),
        ("nova-stages-stalled", (1, 1, 0.0, 'n', 'W')),
        ("nova-conversations-given-up", (1, 1, 0.0, 'n', 'C')),
        ("nova-nothing-complete", (1, 1, 0.0, 'n', 'C')),
        ("nova-slow-answers", (3, 5, 2000.0, 'n', 'W')),
        ("nova-failed-streams", (3, 5, 5.0, 'n', 'C')),
        ("nova-sessions-refused", (2, 3, 0.0, 'n', 'C')),
        ("nova-abnormal-ends", (2, 3, 5.0, 'n', 'W')),
        ("nova-ingress-heartbeat", (3, 3, 2.0, 'b', 'C')),
        ("nova-bedrock-throttles", (3, 5, 5.0, 'n', 'W')),
        ("nova-bedrock-errors", (3, 5, 1.0, 'n', 'W')),
        ("nova-streams-quota", (3, 3, 80.0, 'n', 'W')),
        ("nova-analysis-cost", (1, 1, 62_500.0, 'n', 'W')),
        ("nova-speech-cost", (1, 1, 333_333.0, 'n', 'W')),
        // The document's three: processors above 80 % for five minutes, errors above 5 % for two, throttles above 0 for one.
        ("nova-api-cpu", (1, 1, 80.0, 'b', 'W')),
        ("nova-api-errors", (2, 2, 5.0, 'n', 'C')),
        ("nova-read-throttles", (1, 1, 0.0, 'n', 'W')),
        ("nova-write-throttles", (1, 1, 0.0, 'n', 'W')),
        ("nova-table-errors", (1, 1, 0.0, 'n', 'W')),
        ("nova-api-memory", (3, 3, 85.0, 'b', 'W')),
        ("nova-api-targets", (2, 2, 1.0, 'b', 'C')),
        ("nova-api-connections", (2, 2, 5.0, 'n', 'C')),
        ("nova-sign-up-errors", (1, 1, 0.0, 'n', 'W')),
        ("nova-sign-up-slow", (1, 1, 4000.0, 'n', 'W')),
        ("nova-sign-in-throttles", (1, 1, 0.0, 'n', 'W')),
        ("nova-failed-notices", (1, 1, 0.0, 'n', 'W')),
        ("nova-topic-critical", (1, 1, 0.0, 'n', 'W')),
        ("nova-topic-others", (1, 1, 0.0, 'n', 'C')),
        ("nova-erasure-late", (1, 1, 86_400.0, 'n', 'W')),
        ("nova-erasure-overdue", (1, 1, 604_800.0, 'n', 'C')),
        ("nova-certificate", (1, 1, 30.0, 'n', 'W')),
        ("nova-health-check", (3, 3, 1.0, 'b', 'C')),
        ("nova-replication-tables", (3, 3, 0.0, 'n', 'W')),
        ("nova-replication-objects", (3, 3, 0.0, 'n', 'W')),
        ("nova-backups", (1, 1, 0.0, 'n', 'W')),
    ] {
        assert_eq!(figures_of(name), expected, "{name}");
    }
    assert_eq!(find("nova-api-cpu").properties["Period"], 300);
    assert_eq!(find("nova-erasure-late").properties["Period"], 3600);
}

#[test]
fn every_worker_has_every_alarm_of_a_worker() {
    let names: BTreeSet<String> = ALL.iter().map(|alarm| alarm.name.clone()).collect();
    let of = |worker: Worker| -> BTreeSet<String> {
        let prefix = format!("nova-{worker}-");
        names.iter().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect()
    };
    let transcript = of(Worker::Transcript);
    assert_eq!(transcript.len(), 16, "{transcript:?}");
    for worker in Worker::ALL {
        let missing: Vec<_> = transcript.difference(&of(worker)).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "{worker}");
    }
    assert_eq!(names.len(), ALL.len(), "two alarms have one name");
}

/// Everything that the evaluator and CloudWatch need, and no alarm that nobody hears.
#[test]
fn every_alarm_can_be_evaluated_and_is_announced() {
    let names: BTreeSet<&str> = ALL.iter().map(|alarm| alarm.name.as_str()).collect();
    let mut announced: BTreeSet<String> = BTreeSet::new();
    for definition in ALL.iter() {
        let (name, properties) = (&definition.name, &definition.properties);
        if definition.is_composite {
            let rule = Composite::parse(properties["AlarmRule"].as_str().unwrap()).unwrap();
            assert!(rule.children().is_subset(&names), "{name}: {:?}", rule.children());
            announced.extend(rule.children().into_iter().map(str::to_owned));
        } else {
            assert!(Rule::new(&alarm(definition)).is_some(), "{name}");
            match properties.get("Metrics") {
                Some(metrics) => {
                    drop(Math::new(metrics, periods).unwrap_or_else(|e| panic!("{name}: {e:#}")));
                }
                None => drop(Selector::of(&alarm(definition)).unwrap()),
            }
        }
        if let Some(action) = properties["AlarmActions"][0].as_str() {
            assert!(action.starts_with("nova-alerts-") || !action.contains(':'), "{name}: {action}");
            announced.insert(name.clone());
        }
    }
    // These drive scaling, and roll a deployment back.
    let silent = ["nova-api-deployment-errors"];
    let unheard: Vec<&str> =
        names.iter().copied().filter(|name| !announced.contains(*name) && !silent.contains(name)).collect();
    assert_eq!(unheard, Vec::<&str>::new());
}

#[test]
fn alarms_over_dynamodb_end_without_data() {
    for definition in ALL.iter() {
        let text = definition.properties.to_string();
        if text.contains("AWS/DynamoDB") {
            assert_eq!(definition.properties.get("Namespace"), None, "{}", definition.name);
            assert!(text.contains("FILL("), "{}", definition.name);
        }
    }
}

#[test]
fn quota_of_the_alarm_is_that_of_the_tasks() {
    let default = |kind: StackKind, name: &str| kind.template().unwrap().parameters[name].default_value();
    for (kind, name) in [
        (StackKind::Monitoring, "StreamsAccountMax"),
        (StackKind::Monitoring, "TasksMin"),
        (StackKind::ResourceAlarms, "TasksMin"),
        (StackKind::ResourceAlarms, "SonicModelId"),
    ] {
        assert_eq!(default(kind, name), default(StackKind::Api, name), "{name}");
    }
}

#[test]
fn alarms_that_are_made_here_have_their_metrics_here() {
    let exports = BTreeMap::from([("nova-alerts-critical-arn".to_owned(), "arn:critical".to_owned())]);
    let lacking = lacking(&exports).unwrap();
    let names: BTreeSet<&str> = lacking.iter().map(|alarm| alarm.name.as_str()).collect();
    for name in ["nova-erasure-down", "nova-erasure-silent", "nova-erasure-heartbeat", "nova-failed-streams"]
    {
        assert!(names.contains(name), "{name}");
    }
    for name in ["nova-erasure-cpu", "nova-erasure-depth", "nova-erasure-delivery", "nova-stages-stalled"] {
        assert!(!names.contains(name), "{name}");
    }
    for alarm in &lacking {
        assert_eq!(alarm.properties["ActionsEnabled"], false, "{}", alarm.name);
        assert!(!alarm.properties.to_string().contains("Fn::"), "{:?}", alarm.properties);
    }
    let down = lacking.iter().find(|alarm| alarm.name == "nova-erasure-down").unwrap();
    assert_eq!(down.properties["AlarmActions"], json!(["arn:critical"]));
}

/// Feeds a named alarm the values of its metrics, a list for each period, and returns the states after each.
fn states(name: &str, periods_of: &[&[(&str, f64)]]) -> Vec<StateValue> {
    let definition = find(name);
    let alarm = alarm(definition);
    let rule = Rule::new(&alarm).unwrap();
    let math =
        alarm.namespace.is_none().then(|| Math::new(&definition.properties["Metrics"], periods).unwrap());
    let metrics = metrics_of(definition);
    let (mut samples, mut state) = (Samples::default(), StateValue::InsufficientData);
    let mut states = Vec::new();
    for values in periods_of {
        let sample = |(metric, value): &(&str, f64)| Sample {
            metric: metrics.iter().find(|known| known.name == *metric).unwrap().clone(),
            values: vec![*value],
        };
        samples.push(values.iter().map(sample).collect());
        let points = match &math {
            Some(math) => math.points(&samples, rule.range()),
            None => samples.points(&Selector::of(&alarm).unwrap(), rule.range()),
        };
        state = rule.evaluate(&points, state);
        states.push(state);
    }
    states
}

fn metrics_of(definition: &Definition) -> Vec<Metric> {
    let properties = &definition.properties;
    let queries = properties["Metrics"].as_array().into_iter().flatten();
    let metrics = queries.map(|query| &query["MetricStat"]["Metric"]).chain([properties]);
    let metric = |value: &Value| {
        let dimensions: Vec<events::cloudwatch::Dimension> =
            serde_json::from_value(value.get("Dimensions").cloned().unwrap_or_else(|| json!([]))).unwrap();
        Some(Metric {
            namespace: value["Namespace"].as_str()?.to_owned(),
            name: value["MetricName"].as_str()?.to_owned(),
            dimensions: crate::local::alarms::samples::dimensions(&dimensions),
        })
    };
    metrics.filter_map(metric).collect()
}

/// One letter for each state: `O`k, `A`larm, `I`nsufficient data.
fn letters(states: &[StateValue]) -> String {
    states.iter().map(|state| state.name().chars().next().unwrap()).collect()
}

#[test]
fn one_failed_request_at_night_is_no_alarm_and_an_outage_is() {
    let night: &[(&str, f64)] = &[("RequestCount", 1.0), ("HTTPCode_Target_5XX_Count", 1.0)];
    let day: &[(&str, f64)] = &[("RequestCount", 400.0), ("HTTPCode_Target_5XX_Count", 10.0)];
    let outage: &[(&str, f64)] = &[("RequestCount", 400.0), ("HTTPCode_ELB_5XX_Count", 400.0)];
    let errors = states("nova-api-errors", &[night, night, &[], day, outage, outage, &[], &[]]);
    assert_eq!(letters(&errors), "OOOOOAOO");
    let one: &[(&str, f64)] = &[("ConversationsStarted", 1.0), ("FailedStreams", 1.0)];
    let outage: &[(&str, f64)] = &[("FailedStreams", 9.0)];
    let streams = states("nova-failed-streams", &[one, one, one, outage, outage, outage, &[], &[], &[]]);
    assert_eq!(letters(&streams), "OOOOOAAAO");
}

#[test]
fn worker_that_stops_is_silent_and_without_heartbeat() {
    let works: &[(&str, f64)] =
        &[("ApproximateNumberOfMessagesVisible", 2.0), ("NumberOfMessagesDeleted", 1.0)];
    let waits: &[(&str, f64)] =
        &[("ApproximateNumberOfMessagesVisible", 2.0), ("NumberOfMessagesDeleted", 0.0)];
    let silent = states("nova-alerts-silent", &[works, waits, waits, waits, waits, waits, works]);
    assert_eq!(letters(&silent), "OOOOOAO");
    let reports: &[(&str, f64)] = &[("InFlight", 0.0)];
    let heartbeat =
        states("nova-alerts-heartbeat", &[reports, reports, reports, &[], &[], &[], &[], &[], reports]);
    // The last three of five datapoints count while there are three; a report ends it.
    assert_eq!(letters(&heartbeat[2..]), "OOOOOAO");
}

#[test]
fn queue_that_grows_is_never_worked_off() {
    let queue = |waiting: f64, sent: f64, deleted: f64| {
        [
            ("ApproximateNumberOfMessagesVisible", waiting),
            ("NumberOfMessagesSent", sent),
            ("NumberOfMessagesDeleted", deleted),
        ]
    };
    let (grows, slow, fast, few) =
        (queue(100.0, 9.0, 5.0), queue(100.0, 5.0, 6.0), queue(100.0, 0.0, 50.0), queue(50.0, 9.0, 0.0));
    let alarmed = |period: &[(&str, f64)]| letters(&states("nova-progress-time-to-drain", &[period; 5][..]));
    assert_eq!(
        [&grows[..], &slow, &fast, &few].map(alarmed),
        ["OOOOA", "OOOOA", "OOOOO", "OOOOO"],
        "with 100 waiting, one more deleted than sent a minute takes 100 minutes"
    );
}

#[test]
fn throttled_table_is_an_alarm_for_one_minute() {
    let throttled: &[(&str, f64)] = &[("WriteThrottleEvents", 1.0)];
    assert_eq!(letters(&states("nova-write-throttles", &[&[], throttled, &[]])), "OAO");
}

#[test]
fn replication_is_late_when_one_table_is() {
    let late: &[(&str, f64)] = &[("ReplicationLatency", 60_001.0)];
    let early: &[(&str, f64)] = &[("ReplicationLatency", 60_000.0)];
    assert_eq!(
        letters(&states("nova-replication-tables", &[late, late, early, late, late, late, &[]])),
        "OOOOOAO"
    );
}

#[test]
fn answers_are_slow_only_while_there_are_conversations() {
    let answers = |live: f64| [("LiveConversations", live), ("AnswerLatency", 2500.0)];
    let (few, many) = (answers(5.0), answers(6.0));
    assert_eq!(letters(&states("nova-slow-answers", &[&few[..]; 5])), "OOOOO");
    assert_eq!(
        letters(&states("nova-slow-answers", &[&many[..], &few, &many, &few, &many, &few, &few])),
        "OOOOAOO"
    );
}

/// The parts of a section of a runbook.
const PARTS: [&str; 6] =
    ["**Meaning.**", "**Impact.**", "**Checks.**", "**Safe actions.**", "**Way back.**", "**Escalation.**"];

/// The runbooks that describe alarms.
fn pages() -> BTreeMap<String, String> {
    let folder = format!("{}/runbooks", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (name(&path), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The alarms that a section lists, by page and heading. `NAME` is any worker.
fn listed() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut listed: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (page, text) in pages() {
        for section in text.split("\n## ").skip(1) {
            let Some(line) = section.lines().find(|line| line.starts_with("Alarms: ")) else { continue };
            let heading = section.lines().next().unwrap().to_owned();
            let names = line.split('`').skip(1).step_by(2);
            let names = names.flat_map(|name| match name.split_once("NAME") {
                Some((before, after)) => {
                    Worker::ALL.map(|worker| format!("{before}{worker}{after}")).to_vec()
                }
                None => vec![name.to_owned()],
            });
            assert!(listed.insert((page.clone(), heading), names.collect()).is_none());
        }
    }
    listed
}

#[test]
fn every_alarm_has_its_page_and_every_page_its_alarms() {
    let mut expected: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let deployments = StackKind::ResourceAlarms.template().unwrap().resources["DeploymentRule"].clone();
    let rule = deployments["Properties"]["Description"].as_str().unwrap().to_owned();
    let alarms = ALL.iter().map(|alarm| {
        let description = alarm.properties["AlarmDescription"].as_str().unwrap().to_owned();
        (alarm.name.clone(), description)
    });
    for (name, description) in alarms.chain([("nova-deployments".to_owned(), rule)]) {
        let Some((summary, place)) = description.split_once(" Runbook: infra/runbooks/") else {
            // What scales or rolls back acts by itself, and notifies nobody.
            assert!(
                ["nova-api-step-out", "nova-api-step-in", "nova-api-deployment-errors"]
                    .contains(&name.as_str()),
                "{name}"
            );
            continue;
        };
        assert!(summary.ends_with('.') && place.ends_with('.'), "{name}: {description}");
        let (page, heading) = place.trim_end_matches('.').split_once(", ").unwrap();
        expected.entry((page.to_owned(), heading.to_owned())).or_default().insert(name);
    }
    assert_eq!(listed(), expected);
}

#[test]
fn every_section_about_alarms_has_its_six_parts_and_three_checks_with_commands() {
    let pages = pages();
    for (page, heading) in listed().into_keys() {
        let section = pages[&page].split(&format!("\n## {heading}\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let places: Vec<usize> = PARTS
            .iter()
            .map(|part| section.find(part).unwrap_or_else(|| panic!("{page}, {heading}: no {part}")))
            .collect();
        assert!(places.is_sorted(), "{page}, {heading}: the parts are in another order");
        let checks = &section[places[2]..places[3]];
        // In the line, or in a block of its own.
        let is_command = |line: &str| {
            ["nova ops ", "aws ", "filter "].iter().any(|command| {
                line.contains(&format!("`{command}")) || line.trim_start().starts_with(command)
            })
        };
        let numbered = checks
            .lines()
            .filter(|line| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok()));
        assert!(numbered.count() >= 3, "{page}, {heading}: fewer than three checks");
        let with_command = checks.lines().filter(|line| is_command(line)).count();
        assert!(with_command >= 3, "{page}, {heading}: {with_command} commands, which is fewer than three");
    }
}

/// Whether `metrics.md` lists `metric` for `service`.
fn is_emitted(metric: &str, service: &str) -> bool {
    let page = include_str!("../../../../runbooks/metrics.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| `{metric}` |")));
    let of =
        row.and_then(|row| row.split('|').nth(3)).unwrap_or_default().trim().trim_end_matches(", rarely");
    let worker = Worker::ALL.into_iter().find(|worker| worker.name() == service);
    match of {
        "each worker" => worker.is_some(),
        "each consumer of `conversation.completed`" => {
            worker.is_some_and(|worker| worker.spec().consumes.contains(&"conversation.completed"))
        }
        of => of == service,
    }
}

#[test]
fn every_metric_and_alarm_of_the_dashboard_exists() {
    let resources = StackKind::Monitoring.template().unwrap().resources;
    let body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body = body.replace("${Prefix}", "nova").replace("${MetricsNamespace}", metrics::NAMESPACE);
    let body: Value = serde_json::from_str(&body).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let alarms: BTreeSet<&str> = ALL.iter().map(|alarm| alarm.name.as_str()).collect();
    let (mut queues, mut shown) = (BTreeSet::new(), 0);
    for widget in widgets {
        for alarm in widget["properties"]["alarms"].as_array().into_iter().flatten() {
            let name = alarm.as_str().unwrap().rsplit(':').next().unwrap();
            assert!(alarms.contains(name), "{name}");
        }
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let text = |position: usize| metric[position].as_str().unwrap();
            let (name, value) = (text(1), text(3));
            shown += 1;
            match text(0) {
                metrics::NAMESPACE => assert!(is_emitted(name, value), "{value} does not emit {name}"),
                queues::NAMESPACE => {
                    assert!([queues::WAITING, queues::OLDEST_AGE].contains(&name), "{name}");
                    queues.insert(value.to_owned());
                }
                "AWS/ECS" => assert!(["CPUUtilization", "MemoryUtilization"].contains(&name), "{name}"),
                other => panic!("{other}"),
            }
        }
    }
    assert!(shown > 50, "{shown}");
    let every =
        Worker::ALL.iter().flat_map(|worker| [worker.queue_name(), format!("{}-dlq", worker.queue_name())]);
    assert_eq!(queues, every.chain(["nova-events-dlq".to_owned()]).collect());
}

#[test]
fn dashboard_is_read_from_the_top() {
    let resources = StackKind::Monitoring.template().unwrap().resources;
    let body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let (mut right, mut below) = (0, 0);
    let mut titles = Vec::new();
    for widget in body["widgets"].as_array().unwrap() {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| widget[name].as_u64().unwrap());
        let (begins_row, continues_row) = (x == 0 && y == below, x == right && y < below);
        assert!((begins_row || continues_row) && x + width <= 24, "{widget}");
        (right, below) = (x + width, y + height);
        titles.push(widget["properties"]["title"].as_str().unwrap());
    }
    let place = |title: &str| titles.iter().position(|shown| shown.starts_with(title)).unwrap();
    let order = [
        "What is wrong",
        "Live conversations",
        "Requests and errors",
        "Messages that wait",
        "Tasks that report",
        "Cost of the models",
        "Errors by endpoint",
    ];
    assert!(order.map(place).is_sorted(), "{titles:?}");
    assert_eq!(place("What is wrong"), 0);
}
