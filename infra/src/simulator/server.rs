//! The simulator's HTTPS server: connections, routes and the answers before a stream begins.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::control::{self, Control};
use super::faults::{Fault, PlannedFault, Refusal};
use super::models::{self, Generation, Model};
use super::session::{Session, Settings};
use super::signature::{self, Chain, Secrets, SignatureError, SignedRequest};
use super::speech::Speech;
use super::stream::{Connection, MESSAGES_WAITING_MAX, Message, Stream};
use super::{SimulatorOptions, converse, images};
use crate::pictures::{catalogue, illustration};

/// Longest body of a request that is no stream.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Time for a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Time for the headers of an HTTP/1.1 request.
const HEADERS_LIMIT: Duration = Duration::from_secs(30);

/// What every request needs.
#[derive(Clone)]
pub(crate) struct ServerState {
    pub(crate) options: Arc<SimulatorOptions>,
    pub(crate) control: Arc<Control>,
    pub(crate) streams: TaskTracker,
    /// Present when the simulator understands a voice.
    pub(crate) speech: Option<Speech>,
}

/// An answer that is an error, in the form of the service: JSON, with its name in a header.
struct ServiceError {
    status: StatusCode,
    exception: &'static str,
    message: String,
}

/// Serves connections until `shutdown`; open ones are then cut.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shared: ServerState,
    shutdown: CancellationToken,
) {
    let streams_per_connection = shared.options.connection_streams_max;
    let router = router(shared);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((tcp, _)) => {
                let (acceptor, router, shutdown) = (acceptor.clone(), router.clone(), shutdown.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = connection(tcp, acceptor, router, streams_per_connection) => {}
                        () = shutdown.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Usually the process is out of file descriptors: wait for some to come back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, router: Router, streams_max: u32) {
    // Small messages must not wait for each other.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before its first byte");
        return;
    }
    let tls = match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let control = Connection::default();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_LIMIT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(streams_max);
    let service = TowerToHyperService::new(router.layer(Extension(control.clone())));
    let connection = builder.serve_connection(TokioIo::new(tls), service);
    let mut connection = std::pin::pin!(connection);
    let mut announced = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error, "a connection failed");
                }
                return;
            }
            () = control.cut.cancelled() => return,
            () = control.goaway.cancelled(), if !announced => {
                announced = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn router(shared: ServerState) -> Router {
    let control = control::routes(Arc::clone(&shared.control));
    Router::new()
        .route("/health", get(|| async { axum::Json(json!({ "status": "ok", "simulated": true })) }))
        .route("/model/{id}/invoke-with-bidirectional-stream", post(open_stream))
        .route("/model/{id}/converse", post(answer_converse))
        .route("/model/{id}/invoke", post(answer_invoke))
        .with_state(shared)
        .merge(control)
}

async fn open_stream(
    State(shared): State<ServerState>,
    Extension(connection): Extension<Connection>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result<Response, ServiceError> {
    let (parts, body) = request.into_parts();
    let chain = authenticate(&shared, &parts, &[]).await?;
    let faults = shared.control.take_faults(Fault::concerns_streams);
    refuse_on_purpose(&faults)?;
    let generation = sonic(&shared, &model_id)?;
    let place = shared.control.open(&model_id).map_err(|control::QuotaError| refusal(Refusal::Throttling))?;

    let (messages, outgoing) = mpsc::channel::<Message>(MESSAGES_WAITING_MAX);
    let (ready, response_may_begin) = oneshot::channel();
    let late = faults.iter().find(|planned| planned.fault == Fault::LateHeaders).map(|planned| planned.after);
    let headers_at_once = shared.options.headers_at_once;
    let clock_scale = place.tuning.clock_scale;
    let settings = Settings { speech: shared.speech.is_some(), ..place.tuning.settings() };
    let session = Session::new(settings, generation, place.seed);
    let stream = Stream {
        place,
        session,
        speech: shared.speech.clone(),
        chain,
        faults: faults.into_iter().filter(|planned| planned.fault != Fault::LateHeaders).collect(),
        connection,
        messages,
        stamps: shared.options.stamps,
        ready: Some(ready),
    };
    shared.streams.spawn(stream.run(body));
    if !headers_at_once {
        // An error means that the stream ended without a word: then the response is empty.
        let _ended = response_may_begin.await;
    }
    tokio::time::sleep(late.unwrap_or_default().div_f64(clock_scale)).await;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/vnd.amazon.eventstream".to_owned()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(outgoing))).into_response())
}

async fn answer_converse(
    State(shared): State<ServerState>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result<Response, ServiceError> {
    let (body, model) = read_request(&shared, &model_id, request).await?;
    let Model::Text { takes_sampling } = model else {
        return Err(validation("The model does not support the Converse operation.".to_owned()));
    };
    let answer = converse::answer(&body, takes_sampling, |text| shared.control.has_recognised(text))
        .map_err(|error| validation(error.to_string()))?;
    Ok(axum::Json(answer).into_response())
}

async fn answer_invoke(
    State(shared): State<ServerState>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result<Response, ServiceError> {
    let faults = shared.control.take_faults(Fault::concerns_images);
    refuse_on_purpose(&faults)?;
    let (body, model) = read_request(&shared, &model_id, request).await?;
    let Model::Image(model) = model else {
        return Err(validation("The model is simulated for other operations than InvokeModel.".to_owned()));
    };
    let invalid = |error: images::ImageRequestError| validation(error.to_string());
    let asked = images::read(&model, &body).map_err(invalid)?;
    let filter = faults
        .iter()
        .find_map(|planned| if let Fault::Filter(filter) = planned.fault { Some(filter) } else { None });
    let answer = match filter {
        Some(filter) => images::filtered(model.shape, filter).map_err(invalid)?,
        None => {
            let png = illustration_of(&asked).await.map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "no illustration could be drawn");
                refusal(Refusal::Internal)
            })?;
            images::answer(model.shape, &asked, &png)
        }
    };
    Ok(([("x-nova-simulated", "true")], axum::Json(answer)).into_response())
}

async fn illustration_of(asked: &images::ImageRequest) -> anyhow::Result<Bytes> {
    let pictures = catalogue()?;
    illustration(images::closest(asked, &pictures).context("the catalogue is empty")?).await
}

/// The body of a request that is no stream, and the model that it is for.
async fn read_request(
    shared: &ServerState,
    model_id: &str,
    request: Request,
) -> Result<(Value, Model), ServiceError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| validation(format!("The request body is longer than {BODY_BYTES_MAX} bytes.")))?;
    authenticate(shared, &parts, &body).await?;
    let model = find_model(shared, model_id)?;
    let body = serde_json::from_slice(&body).map_err(|_| ServiceError {
        status: StatusCode::BAD_REQUEST,
        exception: "SerializationException",
        message: "The request body is no JSON.".to_owned(),
    })?;
    Ok((body, model))
}

/// Checks the signature of a request, with [`SimulatorOptions::verify_signatures`].
async fn authenticate(
    shared: &ServerState,
    parts: &Parts,
    body: &[u8],
) -> Result<Option<Chain>, ServiceError> {
    let Some(file) = &shared.options.verify_signatures else {
        return Ok(None);
    };
    // Read for every request, so that keys can be added while the simulator runs.
    let secrets = tokio::fs::read_to_string(file).await.map_err(|error| {
        tracing::error!(%error, file = %file.display(), "the file of access keys cannot be read");
        refusal(Refusal::Internal)
    })?;
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let request = SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        authority: parts.uri.authority().map(Authority::as_str).or(host).unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let verified = signature::verify(&request, &Secrets::parse(&secrets), Timestamp::now());
    verified.map(Some).map_err(|error: SignatureError| ServiceError {
        status: StatusCode::FORBIDDEN,
        exception: error.exception(),
        message: error.to_string(),
    })
}

fn sonic(shared: &ServerState, model_id: &str) -> Result<Generation, ServiceError> {
    match find_model(shared, model_id)? {
        Model::Sonic(generation) => Ok(generation),
        Model::Text { .. } | Model::Image(_) => {
            Err(validation("The model is not supported for bidirectional streaming.".to_owned()))
        }
    }
}

fn find_model(shared: &ServerState, model_id: &str) -> Result<Model, ServiceError> {
    models::find(model_id, shared.options.allow_retired).map_err(|error| match error {
        models::ModelError::EndOfLife => ServiceError {
            status: StatusCode::NOT_FOUND,
            exception: "ResourceNotFoundException",
            message: error.message(model_id),
        },
        models::ModelError::Unknown | models::ModelError::ProfileOnly => validation(error.message(model_id)),
    })
}

fn refuse_on_purpose(faults: &[PlannedFault]) -> Result<(), ServiceError> {
    for planned in faults {
        if let Fault::Refuse(how) = planned.fault {
            return Err(refusal(how));
        }
    }
    Ok(())
}

fn refusal(how: Refusal) -> ServiceError {
    let (status, exception, message) = how.answer();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ServiceError { status, exception, message: message.to_owned() }
}

fn validation(message: String) -> ServiceError {
    ServiceError { status: StatusCode::BAD_REQUEST, exception: "ValidationException", message }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let headers = [("x-amzn-errortype", self.exception)];
        (self.status, headers, axum::Json(json!({ "message": self.message }))).into_response()
    }
}
