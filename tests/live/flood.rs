//! Floods of connections and requests: each is bounded, the health check responds meanwhile, and the conversation of another
//! learner loses no word.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{net::Ipv4Addr, time::Duration};

use infra::client::Script;
use ingress::{
    quota::{REQUESTS, TICKETS},
    server::connections::{CONNECTION_AGE_MAX, FIRST_REQUEST_TIMEOUT, PROGRESS_TIMEOUT},
};
use serde_json::{Value, json};
use tests::live::{Live, LiveOptions, block_on};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use super::raw_client::RawClient;

/// A request without a body.
const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// Default of the time that a connection may be without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The address of the attacker; that of everybody else is 127.0.0.1.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// A connection from `from`.
async fn connect(live: &Live, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(live.url().trim_start_matches("http://").parse().unwrap()).await.unwrap()
}

/// Sends `request` and reads a response with `Content-Length`: its head and its body.
async fn ask(connection: &mut TcpStream, request: &str) -> Option<(String, String)> {
    connection.write_all(request.as_bytes()).await.ok()?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        timeout(Duration::from_secs(60), connection.read_exact(&mut byte)).await.ok()?.ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    connection.read_exact(&mut body).await.ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// The status of the health check on a new connection.
async fn health(live: &Live) -> Option<u16> {
    let mut connection = connect(live, Ipv4Addr::LOCALHOST).await;
    let (head, _) = ask(&mut connection, HEALTH).await?;
    head.split(' ').nth(1)?.parse().ok()
}

/// Reads until the service closes the connection.
async fn until_closed(connection: &mut TcpStream, within: Duration) -> bool {
    let mut buffer = [0; 4096];
    let closed = async { while matches!(connection.read(&mut buffer).await, Ok(1..)) {} };
    timeout(within, closed).await.is_ok()
}

/// The conversation of a learner whom the flood must not disturb.
async fn talk(live: &Live) {
    let learner = live.learner("another").unwrap();
    let sentences = ["I see a market.", "There are red apples.", "People are buying fruit."];
    let held = learner.converse(&Script::new("street-market", sentences)).await.unwrap();
    let journal = live.journal(held.conversation_id).await.unwrap();
    assert_eq!(journal.turns, held.turns);
    let words: Vec<_> = held.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert!(sentences.iter().all(|sentence| words.contains(sentence)), "{words:?}");
}

#[test]
fn silent_connections_keep_no_client_out_and_are_closed() {
    block_on(async {
        for proxies in [0, 1] {
            let options = LiveOptions::default()
                .with("trusted-proxies", proxies)
                .with("connections-max", if proxies == 0 { 200 } else { 60 })
                .with("connections-per-address-max", 60);
            let live = Live::start(options).await.unwrap();
            let flood = async {
                let mut sockets = Vec::new();
                for n in 0..200 {
                    let mut socket = connect(&live, ATTACKER).await;
                    let bytes = match n % 4 {
                        0 => "",
                        1 => "GET /health HTTP/1.1\r\nhost:",
                        2 => HEALTH,
                        _ => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    };
                    // The service may have closed it already.
                    let _ = socket.write_all(bytes.as_bytes()).await;
                    sockets.push(socket);
                    if n % 20 == 0 {
                        assert_eq!(health(&live).await, Some(200));
                        assert!(live.app.connections.count() <= 80, "{}", live.app.connections.count());
                    }
                }
                sockets
            };
            let (mut sockets, ()) = tokio::join!(flood, talk(&live));
            let begun = Instant::now();
            for socket in &mut sockets {
                assert!(until_closed(socket, Duration::from_secs(80)).await);
            }
            assert!(begun.elapsed() > FIRST_REQUEST_TIMEOUT, "the last ones had their time");
            assert_eq!(health(&live).await, Some(200));
            live.stop().await.unwrap();
        }
    });
}

#[test]
fn health_check_responds_while_every_connection_has_a_request() {
    block_on(async {
        let options = LiveOptions::default().with("connections-max", 8).with("trusted-proxies", 1);
        let live = Live::start(options).await.unwrap();
        let request = format!(
            "POST /api/conversations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n",
            live.token("learner-1").unwrap()
        );
        let mut busy = Vec::new();
        for _ in 0..8 {
            let mut connection = connect(&live, ATTACKER).await;
            connection.write_all(request.as_bytes()).await.unwrap();
            busy.push(connection);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..40 {
            assert_eq!(health(&live).await, Some(200));
        }
        let mut connection = connect(&live, Ipv4Addr::LOCALHOST).await;
        let (head, body) =
            ask(&mut connection, "GET /api/pictures HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(head.contains(" 503 ") && head.contains("retry-after: 10"), "{head}");
        assert!(head.contains("connection: close") && body.contains(r#""code":"busy""#), "{head}{body}");
        drop(busy);
        talk(&live).await;
        live.stop().await.unwrap();
    });
}

#[test]
fn response_that_nobody_takes_is_given_up() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let mut connection = connect(&live, ATTACKER).await;
        let request = "GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
        // More than the buffers of both sockets take, so that not all is written.
        let _ = timeout(Duration::from_secs(1), connection.write_all(request.as_bytes())).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(live.app.connections.count(), 1);
        tokio::time::sleep(PROGRESS_TIMEOUT.max(KEEP_ALIVE) + Duration::from_secs(1)).await;
        assert_eq!(live.app.connections.count(), 0);
        live.stop().await.unwrap();
    });
}

#[test]
fn flood_of_one_learner_is_refused_and_another_one_talks_on() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("attacker").unwrap();
        let (start, list) =
            (format!("{}/api/conversations", live.url()), format!("{}/api/conversations", live.url()));
        let flood = async {
            for n in 0..=TICKETS.max {
                let post =
                    live.http().post(&start).bearer_auth(&token).json(&json!({ "imageId": "street-market" }));
                let status = post.send().await.unwrap().status().as_u16();
                assert_eq!(status == 429, n == TICKETS.max, "ticket {n}: {status}");
            }
            assert_eq!(health(&live).await, Some(200));
            // The rest of what a minute allows was used elsewhere.
            let attacker = "attacker".parse().unwrap();
            REQUESTS.spend(&live.app.coordination, &attacker, REQUESTS.max - TICKETS.max - 11).await.unwrap();
            for n in 0..=10 {
                let response = live.http().get(&list).bearer_auth(&token).send().await.unwrap();
                assert_eq!(response.status().as_u16() == 429, n == 10, "request {n}: {}", response.status());
                if n == 10 {
                    assert!(response.headers().contains_key("retry-after"));
                    let problem: Value = response.json().await.unwrap();
                    assert_eq!(problem["code"], "too_many_requests");
                }
            }
            assert_eq!(health(&live).await, Some(200));
        };
        tokio::join!(flood, talk(&live));
        live.stop().await.unwrap();
    });
}

#[test]
fn flood_of_hostile_uploads_is_refused_and_another_learner_talks_on() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("attacker").unwrap();
        let (client, offer) = RawClient::begin(&live, &token).await;
        let path =
            format!("{}/api/conversations/{}/turns", live.url(), offer["conversationId"].as_str().unwrap());
        // One good frame, and then what a parser takes for headers of frames, each in vain.
        let junk: Vec<u8> =
            [0xff, 0xfb, 0x90, 0x64, 0xff, 0xe3].into_iter().cycle().take(11 * 1024 * 1024).collect();
        let flood = async {
            for _ in 0..6 {
                let post = live.http().post(&path).bearer_auth(&token).body(junk.clone());
                let status = post.send().await.unwrap().status().as_u16();
                assert!([409, 415, 422].contains(&status), "{status}");
                assert_eq!(health(&live).await, Some(200));
            }
        };
        tokio::join!(flood, talk(&live));
        client.end().await;
        live.stop().await.unwrap();
    });
}

#[test]
fn old_connection_is_closed_between_two_requests() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let mut connection = connect(&live, Ipv4Addr::LOCALHOST).await;
        let begun = Instant::now();
        while begun.elapsed() + Duration::from_secs(60) < CONNECTION_AGE_MAX {
            assert!(ask(&mut connection, HEALTH).await.unwrap().0.contains(" 200 "));
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
        assert!(until_closed(&mut connection, Duration::from_secs(62)).await);
        assert!(begun.elapsed() < CONNECTION_AGE_MAX + Duration::from_secs(5));
        live.stop().await.unwrap();
    });
}

#[test]
fn head_of_a_request_is_bounded() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let mut connection = connect(&live, ATTACKER).await;
        let head = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(70_000));
        let (head, _) = ask(&mut connection, &head).await.unwrap();
        assert!(head.contains(" 431 "), "{head}");
        assert!(until_closed(&mut connection, Duration::from_secs(1)).await);
        live.stop().await.unwrap();
    });
}

#[test]
fn concurrent_requests_of_an_http2_connection_are_bounded() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let io = connect(&live, ATTACKER).await;
        let (client, connection) = h2::client::handshake(io).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = || {
            let uri = format!("{}/health", live.url());
            http::Request::builder().uri(uri).body(()).unwrap()
        };
        let (response, _) = client.send_request(request(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        // Requests that are taken back at once.
        for _ in 0..1_000 {
            let Ok(ready) = client.clone().ready().await else { break };
            client = ready;
            let Ok((_, mut stream)) = client.send_request(request(), false) else { break };
            stream.send_reset(h2::Reason::CANCEL);
        }
        assert_eq!(client.current_max_send_streams(), 100);
        assert!(connection.await.unwrap().is_err(), "the service ends the connection");
        assert_eq!(health(&live).await, Some(200));
        live.stop().await.unwrap();
    });
}

#[test]
fn refused_request_leaves_its_connection_in_order() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let post = |length: usize, more: &str| {
            format!(
                "POST /api/conversations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                 {more}content-length: {length}\r\n\r\n"
            )
        };
        let mut connection = connect(&live, Ipv4Addr::LOCALHOST).await;
        for length in [1, 100_000, 10_000_000] {
            // The body looks like a request, which must never be read as one.
            let body = HEALTH.repeat(length / HEALTH.len() + 1);
            let request = format!("{}{}", post(length, ""), &body[..length]);
            let (head, _) = ask(&mut connection, &request).await.unwrap();
            assert!(head.contains(" 401 ") && !head.contains("connection: close"), "{head}");
            assert!(ask(&mut connection, HEALTH).await.unwrap().0.contains(" 200 "), "{length}");
        }
        for request in [post(100, ""), post(20_000_000, ""), post(100, "expect: 100-continue\r\n")] {
            let mut connection = connect(&live, Ipv4Addr::LOCALHOST).await;
            let (head, _) = ask(&mut connection, &request).await.unwrap();
            assert!(head.contains(" 401 ") && head.contains("connection: close"), "{head}");
            assert!(until_closed(&mut connection, Duration::from_secs(1)).await);
        }
        live.stop().await.unwrap();
    });
}
