//! Tests of replaced streams, of handovers between tasks, and of their metrics.

use events::contract::{
    ConversationMetrics, EndReason, Speaker, StreamUsage, Turn, Usage,
    live::{ErrorCode, ServerMessage},
};

use super::{
    FailureClass, Input, Output, Resumed, Settings, StreamError, StreamId,
    ending::HAND_OVER_WAIT_MS_MAX,
    test_fixture::{Harness, limits, settings, texts, tool_use},
};
use crate::{
    live::conversation::Conversation,
    live::conversation::model_event::{AudioFrame, ModelEvent, Stage, StopReason},
};

/// Three turns: a greeting, an answer, and a reply.
fn talk(settings: Settings) -> Harness {
    let mut talk = Harness::new(settings);
    talk.open(StreamId(0));
    talk.tutor_says("Hello.", 1_000);
    talk.learner_says("I see a dog.", 1_000);
    talk.tutor_says("So do I.", 1_000);
    talk.pass(1_000);
    talk
}

/// Settings with an early renewal.
fn renewing() -> Settings {
    let mut settings = settings();
    settings.limits.renew_after_ms = 20_000;
    settings.limits.renew_by_ms = 30_000;
    settings
}

fn fail(talk: &mut Harness, stream: u32, class: FailureClass, message: &str) {
    talk.input(Input::StreamFailed(StreamId(stream), StreamError::new(class, message)));
}

fn history(talk: &Harness) -> Vec<(Speaker, String)> {
    let history = talk.outputs.iter().rev().find_map(|output| {
        if let Output::OpenStream { history, .. } = output { Some(history) } else { None }
    });
    let messages = history.expect("a stream was requested").iter();
    messages.map(|message| (message.speaker, message.text.clone())).collect()
}

fn texts_of(talk: &Harness) -> Vec<&str> {
    talk.turns().iter().map(|turn| turn.text.as_str()).collect()
}

/// The audio in `outputs` for the model.
fn sent(outputs: &[Output]) -> Vec<u8> {
    let pcm =
        |output: &Output| if let Output::SendAudio { pcm, .. } = output { pcm.to_vec() } else { Vec::new() };
    outputs.iter().flat_map(pcm).collect()
}

fn is_stall(output: &Output) -> bool {
    matches!(output, Output::Failed(error) if error.class == FailureClass::Stalled)
}

fn errors(talk: &Harness) -> Vec<ErrorCode> {
    let code = |message: &&ServerMessage| {
        if let ServerMessage::Error { code, .. } = message { Some(*code) } else { None }
    };
    talk.sent().iter().filter_map(code).collect()
}

fn resumed(turns: &[&Turn]) -> Resumed {
    Resumed {
        epoch: 2,
        turns: turns.iter().map(|turn| (*turn).clone()).collect(),
        usage: Usage::default(),
        objectives_met: Vec::new(),
        metrics: None,
        heard_samples: None,
        unfinished: Vec::new(),
    }
}

/// `resumed` on another task, with its stream open.
fn resume(resumed: &Resumed, at_ms: u64) -> Harness {
    let mut talk = Harness::of(Conversation::resume(settings(), resumed, at_ms), at_ms);
    talk.open(StreamId(0));
    talk
}

#[test]
fn another_task_goes_on_where_the_journal_ends_and_does_not_greet_again() {
    let before = talk(settings());
    let mut after = resume(&resumed(&before.turns()), before.now_ms());
    assert!(after.prompts().is_empty(), "{:?}", after.prompts());
    let said = [(Speaker::Learner, texts().opening), (Speaker::Tutor, "Hello.".to_owned())];
    assert_eq!(history(&after)[..2], said);
    after.learner_says("It is brown.", 500);
    after.tutor_says("Yes, it is.", 1_000);
    after.pass(1_000);
    let turns: Vec<_> = after.turns().iter().map(|turn| (turn.index, turn.text.as_str())).collect();
    assert_eq!(turns, [(3, "It is brown."), (4, "Yes, it is.")]);
    after.input(Input::EndRequested);
    after.pass(10_000);
    let totals = after.totals().unwrap();
    assert_eq!((totals.turns, totals.learner_speech_ms), (5, 1_500));
    let ConversationMetrics { answer_latency, reconnects, takeovers, .. } = totals.metrics;
    assert_eq!((answer_latency.unwrap().count, reconnects, takeovers), (2, 1, 1));
}

#[test]
fn another_task_answers_what_nobody_has_answered() {
    let mut before = talk(settings());
    before.input(Input::Typed("What is its name?".to_owned()));
    let mut after = resume(&resumed(&before.turns()), before.now_ms());
    assert_eq!(after.prompts(), ["What is its name?"]);
    assert_eq!(history(&after).last().unwrap(), &(Speaker::Tutor, "So do I.".to_owned()));
    after.tutor_says("Rex, I think.", 1_000);
    after.pass(1_000);
    assert_eq!(texts_of(&after), ["Rex, I think."]);
}

#[test]
fn another_task_goes_on_with_a_turn_that_was_cut() {
    let mut before = talk(settings());
    before.tutor_begins("It has a red", 2_000);
    before.pass(1_950);
    before.input(Input::TakeoverRequested);
    assert!(before.turns().last().unwrap().interrupted);
    let after = resume(&resumed(&before.turns()), before.now_ms());
    assert_eq!(after.prompts(), [texts().go_on]);
}

#[test]
fn another_task_greets_where_nobody_has() {
    assert_eq!(resume(&resumed(&[]), 5_000).prompts(), [texts().opening]);
}

#[test]
fn what_was_measured_is_handed_over_and_added_to() {
    let mut before = talk(settings());
    let usage = Usage { input: StreamUsage { speech_tokens: 7, text_tokens: 1 }, ..Usage::default() };
    before.model(ModelEvent::Usage(usage));
    fail(&mut before, 0, FailureClass::Transport, "cut");
    before.pass(0);
    before.open(StreamId(1));
    before.input(Input::Detached);
    before.input(Input::Attached);
    before.input(Input::TakeoverRequested);
    let released = before.totals().unwrap();
    assert_eq!((released.metrics.recoveries, released.metrics.reconnects), (1, 1));
    let mut after = resume(
        &Resumed { usage: released.usage, metrics: Some(released.metrics), ..resumed(&before.turns()) },
        before.now_ms(),
    );
    after.model(ModelEvent::Usage(usage));
    after.input(Input::EndRequested);
    after.pass(10_000);
    let totals = after.totals().unwrap();
    assert_eq!(totals.usage.input, StreamUsage { speech_tokens: 14, text_tokens: 2 });
    let metrics = totals.metrics;
    assert_eq!((metrics.recoveries, metrics.reconnects, metrics.takeovers, metrics.renewals), (1, 2, 1, 0));
}

#[test]
fn the_time_limit_counts_from_the_start_of_the_conversation() {
    let near_the_end = limits().conversation_ms_max - 1_000;
    let mut after = resume(&resumed(&talk(settings()).turns()), near_the_end);
    after.pass(999);
    assert_eq!(after.ended(), None);
    after.pass(10_000);
    assert_eq!(after.ended(), Some(EndReason::TimeLimit));
}

#[test]
fn a_stopping_task_hands_over_at_a_quiet_moment_or_after_a_while() {
    let mut quiet = talk(settings());
    quiet.input(Input::HandOver);
    assert!(quiet.totals().is_some() && quiet.ended().is_none());
    let mut speaking = talk(settings());
    speaking.tutor_begins("It has", 60_000);
    speaking.input(Input::HandOver);
    speaking.pass(HAND_OVER_WAIT_MS_MAX - 1);
    assert!(speaking.totals().is_none());
    speaking.pass(1);
    assert!(speaking.totals().is_some() && speaking.ended().is_none());
}

#[test]
fn a_streams_age_renews_it_once_it_is_quiet_and_make_comes_before_break() {
    let mut talk = talk(renewing());
    talk.pass(19_999 - talk.now_ms());
    talk.input(Input::Tick);
    assert_eq!(talk.opened(), [StreamId(0)]);
    talk.pass(1_000);
    talk.input(Input::Tick);
    assert_eq!(talk.opened(), [StreamId(0), StreamId(1)]);
    let closed = |talk: &Harness| talk.outputs.contains(&Output::CloseStream(StreamId(0)));
    assert!(!closed(&talk));
    talk.open(StreamId(1));
    assert!(closed(&talk));
    assert!(!talk.sent().contains(&&ServerMessage::Reconnecting));
    talk.input(Input::EndRequested);
    talk.pass(10_000);
    let metrics = talk.totals().unwrap().metrics;
    assert_eq!((metrics.renewals, metrics.recoveries), (1, 0));
}

#[test]
fn no_stream_is_renewed_while_a_tool_is_pending() {
    let mut talk = talk(renewing());
    talk.pass(15_000 - talk.now_ms());
    talk.model(ModelEvent::ToolStart);
    talk.model(tool_use("look_up", "{}"));
    let results = |output: &Output| matches!(output, Output::ReturnToolResult { result: Err(_), .. });
    assert_eq!(talk.outputs.iter().filter(|output| results(output)).count(), 1);
    talk.pass(25_000 - talk.now_ms());
    talk.input(Input::Tick);
    assert_eq!(talk.opened(), [StreamId(0)]);
    talk.tutor_says("I cannot look that up.", 1_000);
    talk.pass(1_000);
    assert_eq!(talk.opened(), [StreamId(0), StreamId(1)]);
}

#[test]
fn a_stream_that_never_gets_quiet_is_renewed_before_its_limit() {
    let mut talk = talk(renewing());
    talk.tutor_begins("There is so much to say", 60_000);
    talk.pass(29_999 - talk.now_ms());
    assert_eq!(talk.opened(), [StreamId(0)]);
    talk.pass(1);
    assert_eq!(talk.opened(), [StreamId(0), StreamId(1)]);
    talk.open(StreamId(1));
    assert_eq!(talk.prompts().last(), Some(&texts().go_on));
    talk.input(Input::EndRequested);
    talk.pass(10_000);
    let metrics = talk.totals().unwrap().metrics;
    assert_eq!((metrics.renewals, metrics.recoveries), (1, 0));
}

#[test]
fn a_model_that_cannot_be_used_ends_the_conversation_at_once_with_its_own_code() {
    for class in [FailureClass::NotFound, FailureClass::AccessDenied] {
        let mut talk = Harness::new(settings());
        fail(&mut talk, 0, class, "This model version has reached the end of its life.");
        assert_eq!(
            (errors(&talk), talk.ended()),
            (vec![ErrorCode::ModelRefused], Some(EndReason::ModelFailed))
        );
    }
    let mut talk = Harness::new(settings());
    for stream in 0..=super::failure::ATTEMPTS_MAX {
        fail(&mut talk, stream, FailureClass::Throttled, "");
        talk.pass(10_000);
    }
    assert_eq!((errors(&talk), talk.ended()), (vec![ErrorCode::ModelFailed], Some(EndReason::ModelFailed)));
}

/// The model has spoken or transcribed on `stream` and the service then rejects its input with a text that is not known.
fn reject(talk: &mut Harness, stream: u32) {
    fail(talk, stream, FailureClass::Validation, "Unexpected state of the session.");
}

#[test]
fn unknown_validation_error_on_a_stream_that_had_worked_renews_it_once() {
    let mut talk = talk(settings());
    talk.learner_speaks(1_000);
    reject(&mut talk, 0);
    talk.pass(0);
    assert_eq!((talk.opened(), talk.ended()), (vec![StreamId(0), StreamId(1)], None));
    talk.open(StreamId(1));
    talk.text(Speaker::Learner, Stage::Final, "It is brown.", StopReason::PartialTurn);
    reject(&mut talk, 1);
    let refused = (vec![ErrorCode::ModelRefused], Some(EndReason::ModelFailed));
    assert_eq!((errors(&talk), talk.ended()), refused, "without a turn in between");
    assert_eq!(texts_of(&talk).last(), Some(&"It is brown."), "nothing said is lost");
}

#[test]
fn turn_that_a_lost_stream_has_left_is_no_success_of_the_next_one() {
    let mut talk = talk(settings());
    talk.tutor_begins("It has a red", 2_000);
    talk.pass(500);
    reject(&mut talk, 0);
    talk.pass(0);
    talk.open(StreamId(1));
    talk.tutor_begins("The dog has", 5_000);
    // An event of the next stream is the first thing after the client has played the turn that was cut.
    let played_ms = talk.now_ms() + 2_000;
    talk.conversation.handle(Input::Model(StreamId(1), ModelEvent::AudioStart), played_ms);
    talk.pass(2_000);
    talk.input(Input::Tick);
    assert_eq!(texts_of(&talk).len(), 4, "the turn that was cut is recorded");
    reject(&mut talk, 1);
    assert_eq!((errors(&talk), talk.opened().len()), (vec![ErrorCode::ModelRefused], 2));
}

#[test]
fn unknown_validation_error_after_another_turn_renews_the_stream_again() {
    let mut talk = talk(settings());
    for stream in 0..3 {
        reject(&mut talk, stream);
        talk.pass(1_000);
        talk.open(StreamId(stream + 1));
        talk.learner_says("It is brown.", 500);
        talk.tutor_says("Yes.", 500);
        talk.pass(1_000);
    }
    assert_eq!((talk.opened().len(), talk.ended()), (4, None));
}

#[test]
fn unknown_validation_error_on_a_stream_that_never_worked_ends_the_conversation() {
    let mut opening = Harness::new(settings());
    reject(&mut opening, 0);
    let mut opened = Harness::new(settings());
    opened.open(StreamId(0));
    reject(&mut opened, 0);
    let mut renewed = talk(settings());
    reject(&mut renewed, 0);
    renewed.pass(0);
    reject(&mut renewed, 1);
    for talk in [opening, opened, renewed] {
        let refused = (vec![ErrorCode::ModelRefused], Some(EndReason::ModelFailed));
        assert_eq!((errors(&talk), talk.ended()), refused);
    }
}

#[test]
fn stream_that_sends_nothing_is_replaced_counted_from_the_first_speech_and_no_word_is_lost() {
    let mut talk = talk(settings());
    let begun_ms = talk.now_ms();
    let mut said = Vec::new();
    // The learner keeps talking, with pauses that end a turn, until the stream is replaced.
    while talk.opened().len() == 1 {
        assert!(talk.now_ms() < begun_ms + 2 * limits().stall_ms_max, "the stall is detected");
        talk.learner_speaks(2_000);
        said.extend(super::test_fixture::speech(2_000, 1));
    }
    assert_eq!(talk.outputs.iter().filter(|output| is_stall(output)).count(), 1);
    assert!(talk.now_ms() <= begun_ms + limits().stall_ms_max + 3_500 + 20, "{}", talk.now_ms() - begun_ms);
    let before = talk.outputs.len();
    talk.open(StreamId(1));
    let heard = sent(&talk.outputs[before..]);
    let loud = |pcm: &[u8]| pcm.iter().filter(|byte| **byte == 0x20).count();
    assert_eq!(loud(&heard), loud(&said), "the new stream gets every word");
}

#[test]
fn stream_that_reports_usage_while_the_learner_talks_is_kept() {
    let mut talk = talk(settings());
    for _ in 0..10 {
        talk.learner_speaks(3_000);
        talk.model(ModelEvent::Usage(Usage::default()));
    }
    assert_eq!(talk.opened(), [StreamId(0)]);
}

#[test]
fn stream_that_does_not_react_to_a_text_or_to_replayed_speech_is_replaced() {
    // The opening, which the silent stream gets first.
    let mut talk = Harness::new(settings());
    talk.open(StreamId(0));
    talk.pass(limits().stall_ms_max - 1);
    assert_eq!(talk.opened(), [StreamId(0)]);
    talk.pass(1);
    assert_eq!(talk.opened(), [StreamId(0), StreamId(1)]);
    assert!(talk.sent().contains(&&ServerMessage::Reconnecting));
    // A typed turn.
    talk.open(StreamId(1));
    talk.tutor_says("Hello.", 500);
    talk.pass(60_000);
    assert_eq!(talk.opened().len(), 2, "a silent learner is owed nothing");
    talk.input(Input::Typed("I see a dog.".to_owned()));
    talk.pass(limits().stall_ms_max);
    assert_eq!(talk.opened().len(), 3);
    talk.open(StreamId(2));
    assert_eq!(talk.prompts().last().unwrap(), "I see a dog.");
    talk.tutor_says("So do I.", 500);
    // Speech that the stream got when it was opened; the learner says nothing more.
    talk.pass(1_000);
    talk.learner_speaks(1_000);
    fail(&mut talk, 2, FailureClass::Transport, "cut");
    talk.pass(5_000);
    talk.open(StreamId(3));
    talk.pass(limits().stall_ms_max - 1);
    let stalled = |talk: &Harness| talk.outputs.iter().filter(|output| is_stall(output)).count();
    assert_eq!(stalled(&talk), 2);
    talk.pass(1);
    assert_eq!(stalled(&talk), 3);
}

#[test]
fn audio_that_is_held_back_for_a_spare_does_not_count_as_unanswered() {
    let mut settings = renewing();
    settings.limits.renew_by_ms = 300_000;
    let mut talk = talk(settings);
    talk.pass(21_000 - talk.now_ms());
    talk.input(Input::Tick);
    assert_eq!(talk.opened().len(), 2);
    talk.learner_speaks(1_000);
    talk.pass(limits().stall_ms_max);
    fail(&mut talk, 1, FailureClass::OpenDeadline, "no response within 15 s");
    talk.pass(limits().stall_ms_max - 1);
    assert_eq!(talk.opened().len(), 2, "the old stream has the words since then");
    talk.pass(1);
    assert_eq!(talk.opened().len(), 3);
    assert!(talk.sent().contains(&&ServerMessage::Reconnecting));
}

/// Every event of the model that can arrive late.
fn late_events() -> Vec<ModelEvent> {
    let text = |speaker, stage| {
        [
            ModelEvent::TextStart { speaker, stage },
            ModelEvent::Text { speaker, stage, content: "Late.".to_owned() },
            ModelEvent::TextEnd { speaker, stage, stop: StopReason::EndTurn },
        ]
    };
    let mut events = vec![
        ModelEvent::ToolStart,
        tool_use("look_up", "{}"),
        ModelEvent::AudioStart,
        ModelEvent::Audio(AudioFrame::new(&[1; 640])),
        ModelEvent::AudioEnd { stop: StopReason::EndTurn },
        ModelEvent::InterruptedMarker,
        ModelEvent::Usage(Usage::default()),
        ModelEvent::Other,
    ];
    for speaker in [Speaker::Learner, Speaker::Tutor] {
        events.extend([Stage::Speculative, Stage::Final].into_iter().flat_map(|stage| text(speaker, stage)));
    }
    events.push(ModelEvent::CompletionEnd);
    events
}

/// Whether an output is input of a stream.
fn is_input_of_a_stream(output: &Output) -> bool {
    matches!(output, Output::SendAudio { .. } | Output::SendText { .. } | Output::ReturnToolResult { .. })
}

#[test]
fn late_event_of_a_stream_that_is_closing_leads_to_no_input_of_it() {
    for event in late_events() {
        let mut talk = talk(settings());
        talk.learner_speaks(500);
        talk.input(Input::EndRequested);
        let before = talk.outputs.len();
        talk.model(event.clone());
        talk.input(Input::StreamOpened(StreamId(0)));
        talk.pass(10_000);
        assert!(!talk.outputs[before..].iter().any(is_input_of_a_stream), "{event:?}");
        assert_eq!(talk.ended(), Some(EndReason::Learner), "{event:?}");
    }
}

#[test]
fn late_event_of_a_replaced_stream_changes_nothing() {
    let replaced = || {
        let mut talk = talk(renewing());
        talk.pass(21_000 - talk.now_ms());
        talk.input(Input::Tick);
        talk.open(StreamId(1));
        talk
    };
    let late = [
        Input::StreamOpened(StreamId(0)),
        Input::StreamEnded(StreamId(0)),
        Input::StreamFailed(StreamId(0), StreamError::new(FailureClass::Transport, "cut")),
    ];
    let late =
        late.into_iter().chain(late_events().into_iter().map(|event| Input::Model(StreamId(0), event)));
    for input in late {
        let mut talk = replaced();
        let before = talk.outputs.len();
        talk.input(input.clone());
        let dropped = Output::DropStream(StreamId(0));
        assert!(talk.outputs[before..].iter().all(|output| *output == dropped), "{input:?}");
        talk.learner_says("It is brown.", 500);
        talk.tutor_says("Yes.", 500);
        talk.pass(1_000);
        assert_eq!(texts_of(&talk)[3..], ["It is brown.", "Yes."], "{input:?}");
        assert_eq!(talk.opened().len(), 2, "{input:?}");
    }
}

#[test]
fn an_unfinished_turn_survives_a_stream_that_fails_in_the_middle_of_it() {
    let mut talk = talk(settings());
    talk.learner_says("It is", 1_000);
    fail(&mut talk, 0, FailureClass::Model, "the model failed in the middle of a turn");
    assert!(talk.sent().contains(&&ServerMessage::Reconnecting));
    talk.pass(0);
    let before = talk.outputs.len();
    talk.open(StreamId(1));
    assert!(talk.sent().contains(&&ServerMessage::Resumed));
    let replayed: usize = talk.outputs[before..]
        .iter()
        .map(|output| if let Output::SendAudio { pcm, .. } = output { pcm.len() } else { 0 })
        .sum();
    assert!(replayed >= 32_000, "{replayed} bytes of the turn are heard again");
    talk.text(Speaker::Learner, Stage::Final, "It is brown.", StopReason::PartialTurn);
    talk.tutor_says("Yes.", 500);
    talk.pass(1_000);
    assert_eq!(texts_of(&talk)[3..], ["It is brown.", "Yes."]);
}

#[test]
fn a_renewed_stream_is_told_in_short_what_the_history_has_no_room_for() {
    let mut talk = talk(renewing());
    let long = "A very long story about a market. ".repeat(120);
    for _ in 0..12 {
        talk.input(Input::Typed(long.clone()));
        talk.tutor_says("I see. And then?", 500);
        talk.pass(100);
    }
    talk.pass(21_000 - talk.now_ms());
    talk.input(Input::Tick);
    assert_eq!(talk.opened(), [StreamId(0), StreamId(1)]);
    let history = talk.outputs.iter().rev().find_map(|output| {
        if let Output::OpenStream { history, .. } = output { Some(history.clone()) } else { None }
    });
    let history = history.expect("a stream was opened");
    let summary = &history[0];
    assert_eq!(summary.speaker, Speaker::Learner, "words of the learner are in no instruction");
    assert!(summary.text.contains("- \"I see a dog.\""), "{summary:?}");
    assert_eq!(history[1].speaker, Speaker::Tutor);
}

#[test]
fn a_page_is_told_who_has_the_first_word() {
    fn tutor_begins(talk: &Harness) -> bool {
        let ready = |message: &&ServerMessage| {
            if let ServerMessage::Ready { tutor_begins, .. } = message { Some(*tutor_begins) } else { None }
        };
        talk.sent().iter().rev().find_map(ready).expect("ready was sent")
    }
    let mute = Settings { texts: None, ..settings() };
    let aloud = Settings { opening_clip: Some(super::test_fixture::speech(1_000, 3).into()), ..mute.clone() };
    for (settings, tutor) in [(settings(), true), (mute, false), (aloud, true)] {
        assert_eq!(tutor_begins(&Harness::new(settings)), tutor);
    }
    let mut talk = talk(settings());
    talk.input(Input::Detached);
    talk.input(Input::Attached);
    assert!(!tutor_begins(&talk), "the conversation goes on");
}

#[test]
fn a_model_that_cannot_be_typed_to_is_greeted_aloud_and_the_greeting_is_no_turn() {
    let clip = super::test_fixture::speech(1_000, 3);
    let settings = Settings { texts: None, opening_clip: Some(clip.clone().into()), ..settings() };
    let mut talk = Harness::new(settings);
    talk.open(StreamId(0));
    talk.pass(500);
    // The loss of a stream meanwhile does not lose the clip.
    fail(&mut talk, 0, FailureClass::Transport, "cut");
    talk.pass(100);
    let before = talk.outputs.len();
    talk.open(StreamId(1));
    talk.pass(3_000);
    let heard = sent(&talk.outputs[before..]);
    assert!(heard.windows(clip.len()).any(|part| part == clip), "the new stream gets the whole clip");
    talk.text(Speaker::Learner, Stage::Final, "Hello.", StopReason::PartialTurn);
    talk.tutor_says("Hello! What do you see?", 1_000);
    talk.pass(1_000);
    assert_eq!(texts_of(&talk), ["Hello! What do you see?"]);
    assert_eq!(talk.turns()[0].answer_latency_ms, None);
    let learner = |message: &&&ServerMessage| {
        matches!(message, ServerMessage::Caption { speaker: Speaker::Learner, .. })
    };
    assert_eq!(talk.sent().iter().filter(learner).count(), 0);
    talk.learner_says("I see a dog.", 1_000);
    talk.tutor_says("So do I.", 1_000);
    talk.pass(1_000);
    assert_eq!(texts_of(&talk)[1..], ["I see a dog.", "So do I."]);
}
