//! What operators read: queues, workers, alarms, sent alerts, the path of a conversation, and the stream of all of it.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::{alert::AlertRecord, dynamo::text, workers::Worker};
use ingress::{account::profile::Profile, store::ops::LATEST_ALERTS};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    deployment::{EFFECTS, TOPICS, create_queues_and_rules},
    live::{Live, LiveOptions, block_on},
};

use super::{
    reader::Reader,
    resources::{converse, settled, sign_up},
    workers,
};

fn alarm(name: &str, state: &str, topic: &str) -> Value {
    json!({
        "AlarmName": name, "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:0:alarm:{name}"),
        "AlarmDescription": "It is wrong. Runbook: infra/runbooks/dead-letters.md, A queue grows.",
        "StateValue": state, "StateReason": "because", "StateUpdatedTimestamp": 1_795_507_200.0,
        "AlarmActions": [topic], "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.0, "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{ "Name": "QueueName", "Value": "nova-transcript" }],
    })
}

/// A system with all queues, and the alerts worker behind its queue.
async fn started() -> Live {
    let live = Live::start(LiveOptions::default()).await.unwrap();
    let mut state = live.cloud.state();
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
    create_queues_and_rules(&mut state, &Worker::ALL);
    // With its dead-letter queue, which is that of the rules.
    state.create_queue("nova-events", Duration::from_secs(60), 1);
    drop(state);
    live
}

#[test]
fn operators_see_queues_workers_and_alarms_as_they_are() {
    block_on(async {
        let live = started().await;
        let minute = Timestamp::now().as_second() / 60 * 60;
        let [critical, warning, _] = TOPICS;
        {
            let mut state = live.cloud.state();
            let series = |metric: &str, of: &str, statistic: &str, points: &[(i64, f64)]| {
                let points = points.iter().map(|(minutes, value)| (minute - minutes * 60, *value)).collect();
                (metric.to_owned(), of.to_owned(), statistic.to_owned(), points)
            };
            let waiting = "ApproximateNumberOfMessagesVisible";
            state.cloudwatch.series = vec![
                series(waiting, "nova-transcript", "Maximum", &[(2, 1.0), (1, 7.0)]),
                series("ApproximateAgeOfOldestMessage", "nova-transcript", "Maximum", &[(1, 61.0)]),
                series(waiting, "nova-events-dlq", "Maximum", &[(1, 3.0)]),
                series("InFlight", "transcript", "SampleCount", &[(2, 2.0), (1, 2.0)]),
                series("InFlight", "transcript", "Sum", &[(1, 5.0)]),
                series("BreakerOpen", "transcript", "Maximum", &[(1, 1.0)]),
            ];
            state.cloudwatch.alarms = vec![
                alarm("nova-a", "OK", critical),
                alarm("nova-b", "ALARM", warning),
                alarm("nova-c", "ALARM", critical),
            ];
        }
        live.cloud.send("nova-transcript", "one");
        live.cloud.send("nova-alerts-dlq", "two");
        let operator = Reader::operator(&live);

        let (status, queues) = operator.get("/api/ops/queues").await;
        assert_eq!(status, StatusCode::OK, "{queues}");
        let queue = |name: &str| {
            queues["items"].as_array().unwrap().iter().find(|queue| queue["queue"] == name).unwrap().clone()
        };
        let transcript = queue("transcript");
        assert_eq!((&transcript["waiting"], &transcript["inFlight"]), (&json!(1), &json!(0)));
        assert_eq!((&transcript["oldestSeconds"], &transcript["deadLetters"]), (&json!(61), &json!(0)));
        let samples = transcript["samples"].as_array().unwrap();
        assert_eq!((samples.len(), &samples[1]["waiting"]), (2, &json!(7)));
        assert_eq!(queue("alerts")["deadLetters"], 1);
        assert_eq!(
            (queue("events").get("waiting"), &queue("events")["samples"][0]["deadLetters"]),
            (None, &json!(3))
        );

        let (_, workers) = operator.get("/api/ops/workers").await;
        let worker = |name: &str| {
            workers["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|worker| worker["service"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(
            (&worker("transcript")["state"], &worker("transcript")["processes"]),
            (&json!("breaker_open"), &json!(2))
        );
        assert_eq!(worker("ingress")["state"], "silent");

        let (_, alarms) = operator.get("/api/ops/alarms").await;
        let names = [0, 1, 2].map(|position| &alarms["items"][position]["name"]);
        assert_eq!(names, ["nova-c", "nova-b", "nova-a"], "what is wrong comes first");
        assert_eq!(alarms["items"][0]["runbook"]["heading"], "A queue grows");
        assert_eq!(alarms["items"][1]["watches"], "nova-transcript");

        // Many operators are one read.
        let calls = live.cloud.state().cloudwatch.calls;
        for path in ["queues", "workers", "alarms", "queues"] {
            operator.get(&format!("/api/ops/{path}")).await;
        }
        assert_eq!(live.cloud.state().cloudwatch.calls, calls);
        live.stop().await.unwrap();
    });
}

#[test]
fn operators_follow_what_changes() {
    block_on(async {
        let live = started().await;
        live.cloud.state().cloudwatch.alarms = vec![alarm("nova-a", "OK", TOPICS[0])];
        let mut stream = Reader::operator(&live).follow("/api/ops/events", "").await;
        let mut first = Vec::new();
        for _ in 0..4 {
            first.push(stream.next().await.unwrap().unwrap());
        }
        let names: Vec<&str> = first.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["alarms", "queues", "workers", "alerts"]);
        assert_eq!(first[1].data["items"][0].get("samples"), None);

        live.cloud.send("nova-transcript", "one");
        let event = stream.next().await.unwrap().unwrap();
        assert_eq!((event.name.as_str(), &event.data["items"][0]["waiting"]), ("queues", &json!(1)));
        live.cloud.state().cloudwatch.alarms = vec![alarm("nova-a", "ALARM", TOPICS[0])];
        let event = stream.next().await.unwrap().unwrap();
        assert_eq!((event.name.as_str(), &event.data["items"][0]["state"]), ("alarms", &json!("alarm")));
        live.stop().await.unwrap();
    });
}

#[test]
fn operators_see_sent_alerts_and_the_path_of_their_conversation() {
    block_on(async {
        let live = started().await;
        sign_up(&live, "learner-1", Profile::new("Mina".to_owned())).await;
        let _workers = workers::start(&live).await;
        let id = converse(&live, "learner-1", "I see a market.").await;
        settled(&Reader::learner(&live, "learner-1"), id).await;
        let operator = Reader::operator(&live);
        let path = format!("/api/ops/conversations/{id}");
        // The alerts are considered after the results.
        let path = loop {
            let (status, path) = operator.get(&path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            if path["state"] == "complete" {
                break path;
            }
            assert_eq!(path["state"], "inTime", "{path}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(path["userId"], "learner-1");
        let stages = path["stages"].as_array().unwrap();
        assert!(stages.iter().all(|stage| stage["status"] == "passed"), "{path}");
        assert!(stages.last().unwrap()["at"].is_string(), "{path}");

        let (status, alerts) = operator.get("/api/ops/alerts?limit=1").await;
        assert_eq!(status, StatusCode::OK, "{alerts}");
        let newest = alerts["items"].as_array().unwrap();
        assert_eq!(newest.len(), 1, "{alerts}");
        // The assessment and the progress are independent: either may cause the last alert.
        let (_, alerts) = operator.get("/api/ops/alerts").await;
        let alerts = alerts["items"].as_array().unwrap();
        assert_eq!(newest[0], alerts[0]);
        let milestone = |alert: &&Value| alert["rule"] == "milestone.first-conversation";
        let alert = alerts.iter().find(milestone).unwrap();
        assert_eq!(alert["conversationId"], json!(id));
        assert!(LATEST_ALERTS > 1 && !alert.to_string().contains("learner-1"), "{alert}");
        for (path, code) in [
            ("/api/ops/conversations/01890a5d-ac96-774b-bcce-b302099a8057", "not_found"),
            ("/api/ops/conversations/none", "not_found"),
            ("/api/ops/alerts?cursor=x", "query_invalid"),
            ("/api/ops/alerts?limit=0", "query_invalid"),
        ] {
            assert_eq!(operator.get(path).await.1["code"], code, "{path}");
        }
        for caller in [Reader::learner(&live, "learner-1"), Reader::analyst(&live)] {
            let (status, problem) = caller.get("/api/ops/queues").await;
            assert_eq!((status, &problem["role"]), (StatusCode::FORBIDDEN, &json!("operator")));
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn alerts_are_listed_in_pages_for_thirty_days() {
    block_on(async {
        let live = started().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("alerts"));
        let now = Timestamp::now();
        for days in [0, 1, 12, 29, 31, 40] {
            let record = AlertRecord {
                alert_id: format!("{days}"),
                rule: "conversation.stalled".to_owned(),
                severity: "critical".to_owned(),
                title: "A conversation has stopped".to_owned(),
                at: now - SignedDuration::from_hours(24 * days),
                conversation_id: None,
                queue: None,
                count: None,
            };
            let put = dynamodb.put_item().table_name(EFFECTS).set_item(Some(record.attributes()));
            put.item("effectId", text(&format!("alert#{days}"))).send().await.unwrap();
        }
        let operator = Reader::operator(&live);
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let (_, page) = operator.get(&format!("/api/ops/alerts?limit=2{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            listed.extend(items.iter().map(|alert| alert["alertId"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed, ["0", "1", "12", "29"]);
        live.stop().await.unwrap();
    });
}
