//! A client at the other end of a connection in memory, on paused time: clients that are slow, silent or too fast, and
//! messages of every kind.

use axum::{Router, response::IntoResponse as _, routing::get};
use events::contract::live::{BYTES_PER_MS, PROTOCOL, offered_protocols};
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame, FrameHeader,
    coding::{CloseCode, Data, OpCode},
};

use super::*;
use crate::{
    test_fuzz::cases,
    test_loopback::{Server, Socket},
};

/// A frame of audio as a client sends it.
const FRAME_BYTES: usize = 1024;

/// A connection and its far end.
async fn connect() -> (ClientConnection, Socket) {
    let (connections, mut opened) = mpsc::channel(1);
    let live = get(async move |upgrade: Upgrade| {
        let session = SessionWatch::detached();
        upgrade.accept(session, async move |connection| connections.send(connection).await.unwrap())
    });
    let server = Server::new(Router::new().route("/", live));
    let (socket, _) = server.websocket("/", &offered_protocols("x.y.z")).await.unwrap();
    (opened.recv().await.unwrap(), socket)
}

fn audio(bytes: usize) -> Message {
    Message::binary(vec![0; bytes])
}

fn typed(words: &str) -> Message {
    Message::text(serde_json::json!({ "type": "text", "text": words }).to_string())
}

/// Reads to the end: the messages before the close frame, and its code.
async fn to_the_end(mut socket: Socket) -> (Vec<Message>, Option<u16>) {
    let mut messages = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            return (messages, frame.map(|frame| frame.code.into()));
        }
        messages.push(message);
    }
    (messages, None)
}

#[tokio::test(start_paused = true)]
async fn a_silent_socket_is_pinged_and_closed() {
    let (mut connection, socket) = connect().await;
    let begun = Instant::now();
    assert_eq!(connection.next().await, ClientEvent::Closed);
    assert_eq!(begun.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    connection.close_now(CloseReason::Broken);
    let (messages, code) = to_the_end(socket).await;
    assert_eq!(messages, vec![Message::Ping(Bytes::new()); 2]);
    assert_eq!(code, Some(CloseReason::Idle.code()), "the first reason counts");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_answers_pings_is_kept() {
    let (mut connection, socket) = connect().await;
    let listening = tokio::spawn(to_the_end(socket));
    let begun = Instant::now();
    while begun.elapsed() < 10 * IDLE_TIMEOUT {
        assert_eq!(connection.next().await, ClientEvent::Alive);
    }
    connection.close(CloseReason::Ended).await;
    assert_eq!(listening.await.unwrap().1, Some(1000));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_nothing_is_let_go_at_a_bound_of_messages() {
    let (connection, socket) = connect().await;
    let frame = Bytes::from_static(&[0; FRAME_BYTES]);
    let mut queued = 0;
    while connection.audio(frame.clone()).is_ok() {
        queued += 1;
        tokio::task::yield_now().await;
    }
    // A few are on the way, in the buffer of the connection.
    assert!((QUEUE_MESSAGES_MAX..QUEUE_MESSAGES_MAX + 20).contains(&queued), "{queued}");
    connection.close_now(CloseReason::TooSlow);
    let (messages, code) = to_the_end(socket).await;
    assert!(messages.len() < 20, "{} stale messages", messages.len());
    assert_eq!(code, Some(1013));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_nothing_is_let_go_at_a_bound_of_bytes() {
    let (connection, _socket) = connect().await;
    let frame = Bytes::from(vec![0; 50_000]);
    let mut queued = 0;
    while connection.audio(frame.clone()).is_ok() {
        queued += frame.len();
        tokio::task::yield_now().await;
    }
    assert!((QUEUE_BYTES_MAX - 50_000..=QUEUE_BYTES_MAX + 50_000).contains(&queued), "{queued}");
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_makes_room() {
    let (connection, socket) = connect().await;
    let listening = tokio::spawn(to_the_end(socket));
    let frame = Bytes::from(vec![0; 50_000]);
    for _ in 0..4 * QUEUE_BYTES_MAX / frame.len() {
        connection.audio(frame.clone()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    connection.close(CloseReason::Ended).await;
    let (messages, code) = listening.await.unwrap();
    assert_eq!((messages.len(), code), (4 * QUEUE_BYTES_MAX / frame.len(), Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn a_write_has_a_longest_time() {
    let (connection, _socket) = connect().await;
    connection.audio(Bytes::from(vec![0; 50_000])).unwrap();
    tokio::time::sleep(WRITE_TIMEOUT - Duration::from_millis(1)).await;
    assert_eq!(connection.send(&ServerMessage::Resumed), Ok(()));
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(connection.send(&ServerMessage::Resumed), Err(BackpressureError));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_comes_after_everything_and_does_not_wait_for_ever() {
    let (connection, socket) = connect().await;
    connection.audio(Bytes::from_static(&[0; 50])).unwrap();
    connection.send(&ServerMessage::Resumed).unwrap();
    connection.close(CloseReason::Stopping).await;
    let (messages, code) = to_the_end(socket).await;
    assert_eq!(messages, [audio(50), Message::text(r#"{"type":"resumed"}"#)]);
    assert_eq!(code, Some(1012));

    let (connection, _socket) = connect().await;
    connection.audio(Bytes::from(vec![0; 50_000])).unwrap();
    let begun = Instant::now();
    connection.close(CloseReason::Ended).await;
    assert_eq!(begun.elapsed().as_secs(), CLOSE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_dropped_is_told_to_come_back() {
    let (connection, socket) = connect().await;
    drop(connection);
    assert_eq!(to_the_end(socket).await.1, Some(1011));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_much_too_large_closes_the_socket() {
    let (mut connection, mut socket) = connect().await;
    let sending = tokio::spawn(async move {
        socket.send(audio(MESSAGE_BYTES_MAX)).await.unwrap();
        // The socket may be closed before this one is whole.
        let _ = socket.send(audio(MESSAGE_BYTES_MAX + 2)).await;
        to_the_end(socket).await
    });
    assert!(matches!(connection.next().await, ClientEvent::Invalid(ErrorCode::InvalidAudio, _)));
    assert_eq!(connection.next().await, ClientEvent::Closed);
    connection.close_now(CloseReason::Broken);
    assert_eq!(sending.await.unwrap().1, Some(CloseCode::Size.into()));
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf_8_closes_the_socket_with_its_own_code() {
    let text = |bytes: &[u8], is_final| {
        let code = OpCode::Data(if bytes.is_empty() { Data::Continue } else { Data::Text });
        Message::Frame(Frame::message(bytes.to_vec(), code, is_final))
    };
    // Of a close frame: the code 1000 and a reason.
    let close = Frame::from_payload(FrameHeader::default(), Bytes::from_static(b"\x03\xe8\xff"));
    let cases = [
        vec![text(b"{\"type\":\"end\xff\"}", true)],
        // Cut inside of a character: in the only frame, and in the last of two.
        vec![text(b"\xe2\x82", true)],
        vec![text(b"\xe2\x82", false), text(b"", true)],
        vec![Message::Frame(close)],
    ];
    for frames in cases {
        let (mut connection, mut socket) = connect().await;
        for frame in &frames {
            socket.send(frame.clone()).await.unwrap();
        }
        assert_eq!(connection.next().await, ClientEvent::Closed, "{frames:?}");
        connection.close_now(CloseReason::Broken);
        assert_eq!(to_the_end(socket).await.1, Some(CloseCode::Invalid.into()), "{frames:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_sends_too_fast_is_read_at_a_bounded_pace() {
    let (mut connection, mut socket) = connect().await;
    let frames = usize::try_from(3 * BURST_MS_MAX * BYTES_PER_MS).unwrap() / FRAME_BYTES;
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            socket.send(audio(FRAME_BYTES)).await.unwrap();
        }
        socket
    });
    let begun = Instant::now();
    for _ in 0..frames {
        assert!(matches!(connection.next().await, ClientEvent::Audio(_)));
    }
    let expected = Duration::from_millis(2 * BURST_MS_MAX / PACE_MAX);
    assert!(begun.elapsed().abs_diff(expected) < Duration::from_millis(50), "{:?}", begun.elapsed());
    drop(sending.await);
}

/// The second part of a message, which is never the last.
fn continuation() -> Message {
    Message::Frame(Frame::message(Bytes::new(), OpCode::Data(Data::Continue), false))
}

/// How many of these frames the connection takes within a time.
async fn taken(socket: &mut Socket, frame: &Message, time: Duration) -> usize {
    let mut count = 0;
    let _ = timeout(time, async {
        while socket.send(frame.clone()).await.is_ok() {
            count += 1;
        }
    })
    .await;
    count
}

/// Most frames of 1 ms each within a time: with the burst, and with what is in the buffers, 6 bytes each.
fn frames_max(time: Duration) -> usize {
    let burst = Duration::from_millis(BURST_MS_MAX / PACE_MAX);
    usize::try_from((time + burst).as_millis()).unwrap() + 4 * READ_BUFFER_BYTES / 6
}

#[tokio::test(start_paused = true)]
async fn empty_frames_are_read_at_a_bounded_pace_also_while_the_socket_closes() {
    let second = Duration::from_secs(1);
    for frame in [continuation(), Message::Ping(Bytes::new()), Message::Pong(Bytes::new())] {
        let (mut connection, mut socket) = connect().await;
        let begins = Frame::message(Bytes::new(), OpCode::Data(Data::Text), false);
        if frame == continuation() {
            socket.send(Message::Frame(begins)).await.unwrap();
        }
        let reading = tokio::spawn(async move {
            while timeout(20 * second, connection.next()).await.is_ok_and(|event| event == ClientEvent::Alive)
            {
            }
            connection
        });
        let sent = taken(&mut socket, &frame, 10 * second).await;
        assert!((10_000..frames_max(10 * second)).contains(&sent), "{sent} of {frame:?}");
        let connection = reading.await.unwrap();
        let closing = tokio::spawn(connection.close(CloseReason::Ended));
        let sent = taken(&mut socket, &frame, 2 * CLOSE_TIMEOUT).await;
        assert!(sent < frames_max(CLOSE_TIMEOUT), "{sent} of {frame:?} while it closes");
        closing.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn typed_turns_that_come_too_fast_are_answered_and_not_taken() {
    let (mut connection, mut socket) = connect().await;
    let mut next = async || {
        socket.send(typed("Hello.")).await.unwrap();
        connection.next().await
    };
    for _ in 0..TYPED_BURST_MAX {
        assert!(matches!(next().await, ClientEvent::Message(_)));
    }
    assert!(matches!(next().await, ClientEvent::Invalid(ErrorCode::TooManyMessages, _)));
    tokio::time::sleep(TYPED_INTERVAL).await;
    assert!(matches!(next().await, ClientEvent::Message(_)));
}

#[tokio::test(start_paused = true)]
async fn after_every_wrong_message_the_next_one_is_read() {
    let (mut connection, mut socket) = connect().await;
    let long = format!(r#"{{"type":"end","x":"{}"}}"#, "x".repeat(TEXT_MESSAGE_BYTES_MAX));
    let text = Message::text;
    for (message, code) in [
        (text("no JSON"), ErrorCode::UnknownMessage),
        (text(r#"{"type":"dance"}"#), ErrorCode::UnknownMessage),
        (text(r#"{"type":"played","generation":"one","ms":1}"#), ErrorCode::UnknownMessage),
        (text(long.as_str()), ErrorCode::UnknownMessage),
        (typed(""), ErrorCode::InvalidText),
        (typed("\u{3164} \u{200b}"), ErrorCode::InvalidText),
        (typed(&"x".repeat(TYPED_CHARS_MAX + 1)), ErrorCode::InvalidText),
        (audio(3), ErrorCode::InvalidAudio),
        (audio(AUDIO_BYTES_MAX + 2), ErrorCode::InvalidAudio),
    ] {
        let (read, sent) = tokio::join!(connection.next(), socket.send(message));
        sent.unwrap();
        assert!(matches!(read, ClientEvent::Invalid(found, _) if found == code), "{code:?}: {read:?}");
    }
    socket.send(text(r#"{"type":"end","new":true}"#)).await.unwrap();
    assert_eq!(connection.next().await, ClientEvent::Message(ClientMessage::End));
}

#[test]
fn typed_turn_is_read_in_nfc_and_its_length_is_that_of_nfc() {
    let read_typed = |text: &str| read_text(&serde_json::json!({ "type": "text", "text": text }).to_string());
    let message = |text: &str| ClientEvent::Message(ClientMessage::Text { text: text.to_owned() });
    assert_eq!(read_typed("a cafe\u{301}"), message("a caf\u{e9}"));
    let syllables = TYPED_CHARS_MAX / 4;
    let decomposed = "\u{1112}\u{1161}\u{11ab}".repeat(syllables);
    assert_eq!(read_typed(&decomposed), message(&"한".repeat(syllables)));
}

#[test]
fn number_with_a_zero_fraction_and_half_of_a_surrogate_pair_are_read() {
    assert_eq!(
        read_text(r#"{"type":"played","generation":2.0,"ms":350.0}"#),
        ClientEvent::Message(ClientMessage::Played { generation: 2, ms: 350 })
    );
    assert_eq!(
        read_text(r#"{"type":"text","text":"a \ud83d dog"}"#),
        ClientEvent::Message(ClientMessage::Text { text: "a \u{fffd} dog".to_owned() })
    );
    for fraction in ["2.5", "-1.0", "4294967296.0"] {
        let message = format!(r#"{{"type":"played","generation":{fraction},"ms":1}}"#);
        assert!(
            matches!(read_text(&message), ClientEvent::Invalid(ErrorCode::UnknownMessage, _)),
            "{fraction}"
        );
    }
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_in_words() {
    let live = get(async |upgrade: Result<Upgrade, UpgradeError>| match upgrade {
        Ok(upgrade) => upgrade.accept(SessionWatch::detached(), async |_| {}),
        Err(error) => error.into_response(),
    });
    let server = Server::new(Router::new().route("/", live));
    for offered in ["nova.live.v2", "chat, nova.live", "nova.live.v11"] {
        let (status, body) = server.websocket("/", offered).await.unwrap_err();
        assert_eq!(status, 400);
        assert!(body.contains("nova.live.v1"), "{body}");
    }
    let (status, body) = server.websocket("/", "nova.live.v1").await.unwrap_err();
    assert!(status == 400 && body.contains("ticket."), "{status} {body}");
    for offered in ["nova.live.v1, ticket.x.y", "nova.live.v2,ticket.x.y,nova.live.v1"] {
        let (_socket, agreed) = server.websocket("/", offered).await.unwrap();
        assert_eq!(agreed.unwrap(), PROTOCOL);
    }
}

/// A message of a client of this or a later version.
fn valid() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        Just(ClientMessage::End),
        Just(ClientMessage::Interrupt),
        "\\PC{1,40}".prop_map(|text| ClientMessage::Text { text }),
        any::<(u32, u64)>().prop_map(|(generation, ms)| ClientMessage::Played { generation, ms }),
    ]
}

/// Checks that a message is read within the limits.
fn check(message: Message) {
    match read(message.clone()) {
        ClientEvent::Audio(pcm) => assert!(pcm.len() % 2 == 0 && pcm.len() <= AUDIO_BYTES_MAX),
        ClientEvent::Message(ClientMessage::Text { text }) => {
            assert!(!text.trim().is_empty() && text.chars().count() <= TYPED_CHARS_MAX);
        }
        ClientEvent::Message(
            ClientMessage::End | ClientMessage::Played { .. } | ClientMessage::Interrupt,
        ) => {
            assert!(matches!(message, Message::Text(text) if text.len() <= TEXT_MESSAGE_BYTES_MAX));
        }
        ClientEvent::Invalid(_, words) => assert!(!words.is_empty()),
        ClientEvent::Alive | ClientEvent::Closed => {
            assert!(!matches!(message, Message::Text(_) | Message::Binary(_)));
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn any_message_is_one_of_the_protocol_or_answered(
        text in "\\PC{0,200}",
        bytes in prop::collection::vec(any::<u8>(), 0..3_000),
        length in 0..2 * AUDIO_BYTES_MAX,
    ) {
        check(Message::text(text));
        check(Message::text(String::from_utf8_lossy(&bytes).into_owned()));
        check(Message::binary(bytes));
        check(Message::binary(vec![0; length]));
    }

    #[test]
    fn a_valid_message_is_read_and_a_damaged_one_is_answered(
        message in valid(),
        field in "[a-zA-Z]{1,8}",
        cut in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        character in any::<char>(),
    ) {
        let mut json = serde_json::to_value(&message).unwrap();
        let empty = matches!(&message, ClientMessage::Text { text } if !has_visible(text));
        if !["type", "text", "generation", "ms"].contains(&field.as_str()) {
            json[&field] = serde_json::json!([{ "later": 1 }]);
        }
        let json = json.to_string();
        if empty {
            prop_assert!(matches!(read_text(&json), ClientEvent::Invalid(ErrorCode::InvalidText, _)));
        } else {
            let expected = match message {
                ClientMessage::Text { text } => ClientMessage::Text { text: nfc(&text) },
                message @ (ClientMessage::End | ClientMessage::Played { .. } | ClientMessage::Interrupt) => message,
            };
            prop_assert_eq!(read_text(&json), ClientEvent::Message(expected));
        }
        let cut = json.floor_char_boundary(cut.index(json.len()));
        prop_assert!(matches!(read_text(&json[..cut]), ClientEvent::Invalid(..)));
        let mut damaged: Vec<char> = json.chars().collect();
        let place = place.index(damaged.len());
        damaged[place] = character;
        check(Message::text(damaged.into_iter().collect::<String>()));
    }
}
