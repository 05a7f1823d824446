//! Signs the messages of a stream: the SDK's auth scheme `sigv4` with a message signer that caches the day's key and the
//! parts that stay the same for a second. The SDK's signer derives and formats them for each of 31 messages a second, which
//! took 7 % of the processor time of a conversation. The SDK signs the HTTP request, and so the first signature of the
//! chain; the messages signed here are equal, byte for byte, to those of `aws_sigv4::event_stream`.
//!
//! Each message carries the signature of itself and of the one before it (Amazon Transcribe developer guide, "Setting up
//! an HTTP/2 stream", "signing").

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_runtime::auth::sigv4::SigV4AuthScheme;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_eventstream::{
    frame::{write_headers_to, write_message_to},
    message_size_hint::MessageSizeHint as _,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign},
        identity::{Identity, SharedIdentityResolver},
        orchestrator::HttpRequest,
        runtime_components::{GetIdentityResolver, RuntimeComponents},
    },
};
use aws_smithy_types::{
    config_bag::ConfigBag,
    event_stream::{DeferredSignerSender, Header, HeaderValue, Message, SignMessage, SignMessageError},
};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// `sigv4` for streams, see the module.
#[derive(Debug, Default)]
pub struct StreamAuthScheme {
    sdk: SigV4AuthScheme,
}

impl AuthScheme for StreamAuthScheme {
    fn scheme_id(&self) -> AuthSchemeId {
        self.sdk.scheme_id()
    }

    fn identity_resolver(&self, resolvers: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        self.sdk.identity_resolver(resolvers)
    }

    fn signer(&self) -> &dyn Sign {
        self
    }
}

impl Sign for StreamAuthScheme {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        endpoint: AuthSchemeEndpointConfig<'_>,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let start = Arc::new(OnceLock::new());
        let credentials = identity.data::<Credentials>();
        if let (Some(sender), Some(credentials)) = (config.load::<DeferredSignerSender>(), credentials) {
            let time = components.time_source().unwrap_or_default();
            let signer = MessageSigner::new(credentials.clone(), time, Arc::clone(&start));
            // The stream uses the first signer it receives; the SDK sends its own later.
            sender.send::<Box<dyn SignMessage + Send + Sync>>(Box::new(signer))?;
        }
        self.sdk.signer().sign_http_request(request, identity, endpoint, components, config)?;
        let authorization = request.headers().get("authorization").and_then(Start::parse);
        let authorization = authorization.ok_or("the signed request has no authorization of a known form")?;
        // The cell was made above and is set once.
        let _ = start.set(authorization);
        Ok(())
    }
}

/// The start of the signature chain: the signature of the HTTP request and its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Start {
    signature: String,
    region: String,
    service: String,
}

impl Start {
    /// `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders=<names>, Signature=<hex>`
    fn parse(authorization: &str) -> Option<Self> {
        let (_, credential) = authorization.split_once("Credential=")?;
        let (scope, _) = credential.split_once(',')?;
        let mut scope = scope.rsplit('/').skip(1);
        let (service, region) = (scope.next()?.to_owned(), scope.next()?.to_owned());
        let (_, signature) = authorization.split_once("Signature=")?;
        Some(Self { signature: signature.to_owned(), region, service })
    }
}

/// Signs the messages of one stream, one after the other.
#[derive(Debug)]
struct MessageSigner {
    credentials: Credentials,
    time: SharedTimeSource,
    start: Arc<OnceLock<Start>>,
    /// The signature of the message before; `None` before the first message.
    last: Option<String>,
    day: Option<Day>,
    second: Option<Second>,
    to_sign: Vec<u8>,
}

/// The part of a signature that stays the same for a day.
#[derive(Debug)]
struct Day {
    number: u64,
    key: Vec<u8>,
}

/// The part of a signature that stays the same for a second.
#[derive(Debug)]
struct Second {
    number: u64,
    /// The string to sign up to the last signature.
    head: String,
    date: Header,
    date_hash: String,
}

impl MessageSigner {
    fn new(credentials: Credentials, time: SharedTimeSource, start: Arc<OnceLock<Start>>) -> Self {
        Self { credentials, time, start, last: None, day: None, second: None, to_sign: Vec::new() }
    }

    fn sign_payload(&mut self, payload: Vec<u8>) -> Result<Message, SignMessageError> {
        let start = self.start.get().ok_or("a message is signed before its request")?;
        // Signatures have a resolution of one second.
        let seconds = self.time.now().duration_since(UNIX_EPOCH)?.as_secs();
        let day = Day::of(&mut self.day, seconds, &self.credentials, start);
        let second = Second::of(&mut self.second, seconds, start)?;
        let last = self.last.as_ref().unwrap_or(&start.signature);
        self.to_sign.clear();
        for part in [&second.head, last, "\n", &second.date_hash, "\n", &hash(&payload)] {
            self.to_sign.extend_from_slice(part.as_bytes());
        }
        let signature = calculate_signature(&day.key, &self.to_sign);
        let bytes = hex::decode(&signature)?;
        self.last = Some(signature);
        Ok(Message::new(payload)
            .add_header(Header::new(":chunk-signature", HeaderValue::ByteArray(Bytes::from(bytes))))
            .add_header(second.date.clone()))
    }
}

impl SignMessage for MessageSigner {
    fn sign(&mut self, message: Message) -> Result<Message, SignMessageError> {
        let mut payload = Vec::with_capacity(message.size_hint());
        write_message_to(&message, &mut payload)?;
        self.sign_payload(payload)
    }

    fn sign_empty(&mut self) -> Option<Result<Message, SignMessageError>> {
        Some(self.sign_payload(Vec::new()))
    }
}

impl Day {
    /// The cached value, or a new one if it is out of date.
    fn of<'a>(
        cache: &'a mut Option<Self>,
        seconds: u64,
        credentials: &Credentials,
        start: &Start,
    ) -> &'a Self {
        let number = seconds / (24 * 60 * 60);
        let outdated = cache.take_if(|day| day.number != number);
        drop(outdated);
        cache.get_or_insert_with(|| {
            let secret = credentials.secret_access_key();
            let key = generate_signing_key(secret, at(seconds), &start.region, &start.service);
            Self { number, key: key.as_ref().to_vec() }
        })
    }
}

impl Second {
    /// The cached value, or a new one if it is out of date.
    fn of<'a>(
        cache: &'a mut Option<Self>,
        seconds: u64,
        start: &Start,
    ) -> Result<&'a Self, SignMessageError> {
        let current = match cache.take() {
            Some(second) if second.number == seconds => second,
            Some(_) | None => Self::new(seconds, start)?,
        };
        Ok(cache.insert(current))
    }

    fn new(seconds: u64, start: &Start) -> Result<Self, SignMessageError> {
        let time = Timestamp::from_second(i64::try_from(seconds)?)?;
        let Start { region, service, .. } = start;
        let head = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}/{region}/{service}/aws4_request\n",
            time.strftime("%Y%m%dT%H%M%SZ"),
            time.strftime("%Y%m%d"),
        );
        let date = Header::new(":date", HeaderValue::Timestamp(at(seconds).into()));
        let mut bytes = Vec::new();
        write_headers_to(std::slice::from_ref(&date), &mut bytes)?;
        Ok(Self { number: seconds, head, date, date_hash: hash(&bytes) })
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use aws_sigv4::event_stream::{SigningParams, sign_empty_message, sign_message};
    use aws_smithy_async::time::TimeSource;
    use proptest::{collection, prelude::*};

    use super::*;

    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261126/us-east-1/bedrock/aws4_request, \
                                 SignedHeaders=host;x-amz-date, Signature=00ff";

    /// Says one time after the other, and the last one again and again.
    #[derive(Debug)]
    struct Times(std::sync::Mutex<Vec<SystemTime>>);

    impl TimeSource for Times {
        fn now(&self) -> SystemTime {
            let mut times = self.0.lock().unwrap();
            if times.len() > 1 { times.remove(0) } else { times[0] }
        }
    }

    fn credentials() -> Credentials {
        Credentials::new("AKID", "a secret", Some("a token".to_owned()), None, "test")
    }

    #[test]
    fn the_chain_begins_with_what_the_request_was_signed_for() {
        let start = Start::parse(AUTHORIZATION).unwrap();
        let (region, service) = ("us-east-1".to_owned(), "bedrock".to_owned());
        assert_eq!(start, Start { signature: "00ff".to_owned(), region, service });
        for other in ["", "Bearer token", "AWS4-HMAC-SHA256 Credential=AKID", "Credential=a/b,"] {
            assert_eq!(Start::parse(other), None, "{other}");
        }
    }

    #[test]
    fn nothing_is_signed_before_the_request() {
        let time = SharedTimeSource::new(Times(vec![at(1)].into()));
        let mut signer = MessageSigner::new(credentials(), time, Arc::default());
        assert!(signer.sign(Message::new("early")).is_err());
    }

    proptest! {
        /// Any messages, any time apart, also over midnight.
        #[test]
        fn messages_are_signed_as_the_sdk_signs_them(
            messages in collection::vec((collection::vec(any::<u8>(), 0..3000), 0u64..100_000_000), 1..12),
            began_ms in 0u64..4_000_000_000_000,
        ) {
            let mut now_ms = began_ms;
            let times: Vec<SystemTime> = messages
                .iter()
                .map(|(_, pause_ms)| {
                    // Most messages are of the same second as the one before.
                    now_ms += if pause_ms % 3 == 0 { *pause_ms } else { pause_ms % 40 };
                    UNIX_EPOCH + Duration::from_millis(now_ms)
                })
                .collect();
            let start = Start::parse(AUTHORIZATION).unwrap();
            let mut last = start.signature.clone();
            let time = SharedTimeSource::new(Times(times.clone().into()));
            let mut signer = MessageSigner::new(credentials(), time, Arc::new(OnceLock::from(start)));
            let identity = credentials().into();
            let params = |time| {
                let params = SigningParams::builder().identity(&identity).region("us-east-1").name("bedrock");
                params.time(time).settings(()).build().unwrap()
            };
            for ((payload, _), time) in messages.into_iter().zip(&times) {
                let message = Message::new(payload)
                    .add_header(Header::new(":event-type", HeaderValue::String("chunk".into())));
                let params = params(*time);
                let expected = sign_message(&message, &last, &params).unwrap();
                let (expected, signature) = expected.into_parts();
                prop_assert_eq!(signer.sign(message).unwrap(), expected);
                last = signature;
            }
            let params = params(*times.last().unwrap());
            let expected = sign_empty_message(&last, &params).unwrap();
            prop_assert_eq!(signer.sign_empty().unwrap().unwrap(), expected.into_parts().0);
        }
    }
}
