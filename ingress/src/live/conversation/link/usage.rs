//! PURE. The tokens that the streams of a conversation have used. Each stream reports its own total again and again, also after it was
//! closed.

use events::contract::{StreamUsage, Usage};

use crate::live::conversation::input::StreamId;

/// Streams whose usage reports are tracked separately.
const CLOSED_MAX: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct StreamsUsage {
    /// The last report of each tracked stream.
    current: Vec<(StreamId, Usage)>,
    settled: Usage,
    /// Streams below this are no longer tracked: the settled usage includes theirs.
    settled_below: u32,
}

impl StreamsUsage {
    /// Continues after the streams of another task.
    pub(super) fn after(settled: Usage) -> Self {
        Self { settled, ..Self::default() }
    }

    /// Notes the total of `stream`.
    pub(super) fn note(&mut self, stream: StreamId, usage: Usage) {
        if let Some((_, last)) = self.current.iter_mut().find(|(id, _)| *id == stream) {
            *last = usage;
            return;
        }
        if stream.0 < self.settled_below {
            return;
        }
        let place = self.current.partition_point(|(id, _)| *id < stream);
        self.current.insert(place, (stream, usage));
        if self.current.len() > CLOSED_MAX {
            let (oldest, used) = self.current.remove(0);
            self.settled = sum(self.settled, used);
            self.settled_below = oldest.0 + 1;
        }
    }

    /// Tokens used by all streams.
    pub(super) fn total(&self) -> Usage {
        self.current.iter().fold(self.settled, |total, (_, usage)| sum(total, *usage))
    }
}

fn sum(a: Usage, b: Usage) -> Usage {
    let side = |a: StreamUsage, b: StreamUsage| StreamUsage {
        speech_tokens: a.speech_tokens.saturating_add(b.speech_tokens),
        text_tokens: a.text_tokens.saturating_add(b.text_tokens),
    };
    Usage { input: side(a.input, b.input), output: side(a.output, b.output) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::conversation::{link::Link, test_fixture::limits};

    fn tokens(speech_tokens: u64) -> Usage {
        Usage { input: StreamUsage { speech_tokens, text_tokens: 0 }, output: StreamUsage::default() }
    }

    #[test]
    fn usage_of_a_stream_counts_once_however_late_it_is_told_again() {
        let mut link = Link::new(limits(), 0);
        let streams: Vec<StreamId> = (0..=CLOSED_MAX).map(|_| link.open()).collect();
        for stream in &streams {
            link.used(*stream, tokens(10));
            link.used(*stream, tokens(100));
        }
        let of_all = 100 * streams.len() as u64;
        assert_eq!(link.usage().input.speech_tokens, of_all);
        // The oldest stream is no longer tracked, the others are.
        link.used(streams[0], tokens(1_000));
        link.used(streams[1], tokens(101));
        assert_eq!(link.usage().input.speech_tokens, of_all + 1);
        // A stream that was never requested uses nothing.
        link.used(StreamId(99), tokens(1));
        assert_eq!(link.usage().input.speech_tokens, of_all + 1);
    }
}
