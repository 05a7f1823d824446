//! PURE. W3C trace context (Recommendation "Trace Context", version 00): what `traceparent` says, and how one
//! conversation's events are known to belong together.
//!
//! A conversation is one trace. The handler of an event is a child span of it, and the events that it publishes carry
//! that span. A child's id is derived and not drawn, so a repetition publishes the same event to the byte.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// Random bytes of a new trace: 16 of the trace id and 8 of the span id.
pub const RANDOM_BYTES: usize = 24;

/// The flag "sampled": this trace is recorded.
const SAMPLED: u8 = 1;

/// A span of a trace: `00-<trace id>-<span id>-<flags>`, in lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// The text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of W3C trace context")]
pub struct TraceParentError;

impl TraceParent {
    /// The first span of a new trace.
    #[must_use]
    pub fn root(random: [u8; RANDOM_BYTES]) -> Self {
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        trace_id.copy_from_slice(&random[..16]);
        span_id.copy_from_slice(&random[16..]);
        // Ids of zeros only are invalid.
        for id in [&mut trace_id[..], &mut span_id[..]] {
            if id.iter().all(|byte| *byte == 0) {
                id[0] = 1;
            }
        }
        Self { trace_id, span_id, flags: SAMPLED }
    }

    /// The trace that `name` makes: the same for the same name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut random = [0; RANDOM_BYTES];
        random.copy_from_slice(&Sha256::digest(name)[..RANDOM_BYTES]);
        Self::root(random)
    }

    /// The span of the work `name` under this one: the same for the same name.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let hash = Sha256::new().chain_update(self.trace_id).chain_update(self.span_id).chain_update(name);
        let mut span_id = [0; 8];
        span_id.copy_from_slice(&hash.finalize()[..8]);
        if span_id == [0; 8] {
            span_id[0] = 1;
        }
        Self { span_id, ..*self }
    }

    /// The trace's id, 32 digits of lower-case hex.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex::encode(self.trace_id)
    }

    /// The span's id, 16 digits of lower-case hex.
    #[must_use]
    pub fn span_id(&self) -> String {
        hex::encode(self.span_id)
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads version 00, and what a newer version has in common with it ("Versioning of traceparent").
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let mut fields = text.splitn(5, '-');
        let mut field = |digits: usize| {
            let field = fields.next().ok_or(TraceParentError)?;
            let fits = field.len() == digits && field.bytes().all(lower_hex);
            if fits { Ok(field) } else { Err(TraceParentError) }
        };
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let more = fields.next().is_some();
        if version == "ff" || (version == "00" && more) {
            return Err(TraceParentError);
        }
        let (mut trace_id, mut span_id, mut bits) = ([0; 16], [0; 8], [0; 1]);
        hex::decode_to_slice(trace, &mut trace_id).map_err(|_| TraceParentError)?;
        hex::decode_to_slice(span, &mut span_id).map_err(|_| TraceParentError)?;
        hex::decode_to_slice(flags, &mut bits).map_err(|_| TraceParentError)?;
        if trace_id == [0; 16] || span_id == [0; 8] {
            return Err(TraceParentError);
        }
        // The other flags are unknown to version 00 and are not passed on.
        Ok(Self { trace_id, span_id, flags: bits[0] & SAMPLED })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id(), self.span_id(), self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn example_of_the_recommendation_is_read_and_written() {
        let parent: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(parent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(parent.span_id(), "b7ad6b7169203331");
        assert_eq!(parent.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_not_a_traceparent_is_refused() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let no_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let upper = EXAMPLE.to_uppercase();
        let (longer, forbidden) = (format!("{EXAMPLE}-00"), EXAMPLE.replacen("00", "ff", 1));
        let short = &EXAMPLE[..EXAMPLE.len() - 1];
        for text in ["", "00", zeros, no_span, upper.as_str(), &longer, &forbidden, short] {
            assert_eq!(text.parse::<TraceParent>(), Err(TraceParentError), "{text}");
        }
        let newer: TraceParent = format!("{}-more", EXAMPLE.replacen("00", "cc", 1)).parse().unwrap();
        assert_eq!(newer.to_string(), EXAMPLE, "a newer version is read as far as it is known");
    }

    proptest! {
        #[test]
        fn children_stay_in_the_trace_and_are_told_apart(random in any::<[u8; RANDOM_BYTES]>()) {
            let root = TraceParent::root(random);
            prop_assert_eq!(root.to_string().parse::<TraceParent>().unwrap(), root);
            let (one, other) = (root.child("one"), root.child("other"));
            prop_assert_eq!(one, root.child("one"));
            prop_assert_eq!(one.trace_id(), root.trace_id());
            let spans = [root.span_id(), one.span_id(), other.span_id(), one.child("one").span_id()];
            let distinct: std::collections::BTreeSet<_> = spans.iter().collect();
            prop_assert_eq!(distinct.len(), spans.len());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            if let Ok(parent) = text.parse::<TraceParent>() {
                prop_assert_eq!(parent.to_string().parse::<TraceParent>(), Ok(parent));
            }
        }
    }

    #[test]
    fn ids_of_zeros_are_avoided() {
        assert!(TraceParent::root([0; RANDOM_BYTES]).to_string().parse::<TraceParent>().is_ok());
    }
}
