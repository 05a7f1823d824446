//! The input of a stream as the body of its HTTP request. The SDK would wrap and sign each event in several buffers; this body
//! encodes it in one ([`InputEncoder`]). The SDK still opens the call, signs its request and reads its response.
//!
//! An interceptor puts the body in the place of the SDK's own. The SDK signs the HTTP request, and so the first signature of the
//! chain; the auth scheme `sigv4` of this module hands the signer of the messages over to the body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::UNIX_EPOCH,
};

use aws_credential_types::Credentials;
use aws_runtime::auth::sigv4::SigV4AuthScheme;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign},
        identity::{Identity, SharedIdentityResolver},
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        orchestrator::HttpRequest,
        runtime_components::{GetIdentityResolver, RuntimeComponents},
    },
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{ConfigBag, Storable, StoreReplace},
};
use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::{
    encoder::{InputEncoder, InputEvent},
    signature::{MessageSigner, SigningError, Start},
    wire::AudioInput,
};

/// `sigv4` for streams, see the module.
#[derive(Debug, Default)]
pub struct StreamAuthScheme {
    sdk: SigV4AuthScheme,
}

/// Puts the body of a stream into its request, once.
#[derive(Debug)]
pub(super) struct InputInterceptor {
    input: Mutex<Option<(AudioInput, mpsc::Receiver<InputEvent>)>>,
}

/// The signer of a stream, on its way from the auth scheme to the body.
#[derive(Clone, Debug, Default)]
struct SignerSlot(Arc<Mutex<Option<(MessageSigner, SharedTimeSource)>>>);

/// See the module.
#[derive(Debug)]
struct InputBody {
    events: mpsc::Receiver<InputEvent>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was read. The SDK sends a signer to its own body, which must exist until then.
    Unread {
        audio: AudioInput,
        signer: SignerSlot,
        _sdk: SdkBody,
    },
    Open(Box<InputEncoder>, SharedTimeSource),
    Ended,
}

impl Storable for SignerSlot {
    type Storer = StoreReplace<Self>;
}

impl InputInterceptor {
    /// The input ends when the sender of `events` is dropped.
    pub(super) fn new(audio: AudioInput, events: mpsc::Receiver<InputEvent>) -> Self {
        Self { input: Mutex::new(Some((audio, events))) }
    }
}

impl Intercept for InputInterceptor {
    fn name(&self) -> &'static str {
        "InputInterceptor"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (audio, events) = input.ok_or("a stream cannot be opened twice")?;
        let (body, signer) = (context.request_mut().body_mut(), SignerSlot::default());
        let sdk = std::mem::replace(body, SdkBody::taken());
        let state = State::Unread { audio, signer: signer.clone(), _sdk: sdk };
        *body = SdkBody::from_body_1_x(InputBody { events, state });
        config.interceptor_state().store_put(signer);
        Ok(())
    }
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
        self.sdk.signer().sign_http_request(request, identity, endpoint, components, config)?;
        if let (Some(slot), Some(credentials)) = (config.load::<SignerSlot>(), identity.data::<Credentials>())
        {
            let start = request.headers().get("authorization").and_then(Start::parse);
            let start = start.ok_or("the signed request has no authorization of a known form")?;
            let signer = MessageSigner::new(credentials.clone(), start);
            slot.put(signer, components.time_source().unwrap_or_default());
        }
        Ok(())
    }
}

impl SignerSlot {
    fn put(&self, signer: MessageSigner, time: SharedTimeSource) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((signer, time));
    }

    fn take(&self) -> Option<(MessageSigner, SharedTimeSource)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Body for InputBody {
    type Data = Bytes;
    type Error = SigningError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SigningError>>> {
        if matches!(self.state, State::Ended) {
            return Poll::Ready(None);
        }
        let event = ready!(self.events.poll_recv(context));
        let frame = self.state.encode(event.as_ref());
        if event.is_none() || frame.is_err() {
            self.state = State::Ended;
        }
        Poll::Ready(Some(frame.map(Frame::data)))
    }
}

impl State {
    /// The message of an event; the last message of the stream without one.
    fn encode(&mut self, event: Option<&InputEvent>) -> Result<Bytes, SigningError> {
        if let Self::Unread { audio, signer, .. } = self {
            let (signer, time) = signer.take().ok_or(SigningError::RequestUnsigned)?;
            *self = Self::Open(Box::new(InputEncoder::new(audio.clone(), signer)), time);
        }
        let Self::Open(encoder, time) = self else { return Err(SigningError::RequestUnsigned) };
        let now = time.now().duration_since(UNIX_EPOCH).map_err(|_| SigningError::Time)?;
        match event {
            Some(event) => encoder.encode(event, now.as_secs()),
            None => encoder.end(now.as_secs()),
        }
    }
}
