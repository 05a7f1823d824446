//! The declaration of routes. A route is declared once, by its handler: the handler's arguments and return type determine the
//! extraction at run time, the required role and the documentation, so these cannot contradict each other.
//!
//! A resource is a file with its handlers and
//!
//! ```text
//! pub fn routes() -> Vec<Route> {
//!     vec![
//!         get("/api/things/{id}", "getThing", one)
//!             .summary("Get a thing", "A longer description.")
//!             .problems(&[Code::ThingGone]),
//!     ]
//! }
//!
//! async fn one(
//!     State(app): State<Arc<AppState>>,
//!     Learner(user_id): Learner,           // 401 without a token, 403 for a deleted account; likewise `Analyst`, `Operator`
//!     Path(id): Path<ThingId>,             // 404 for an invalid id; `Path<(ThingId, u32)>` for two, in order
//!     Query(query): Query<ThingQuery>,     // 400 that names the parameter
//!     Body(request): Body<ThingRequest>,   // 400, 413, 415, or 422 that names the field; must be last
//! ) -> Result<Json<Thing>, ApiError>       // 200; or `Created`, `Accepted`, `NoContent`, or `Response` with `returns`
//! ```
//!
//! and a line in [`super::resources`]. Types of bodies, queries and paths derive `JsonSchema`. An error of the handler is a row in
//! [`super::problem::codes`], listed with `problems`. The test `every_route_with_its_role` in `api/tests.rs` lists the route;
//! `NOVA_BLESS=1 cargo test --workspace --lib published_openapi` writes `schemas/api/openapi.json`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    handler::Handler,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use http::{HeaderMap, Method};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{
    operation::{Operation, OperationBuilder},
    problem::{ApiError, Code},
    role::Role,
};
use crate::{
    app::AppState,
    live::socket::{Upgrade, UpgradeError},
};

/// A method of a path, with its handler and its documentation.
#[derive(Clone, Debug)]
pub struct Route {
    pub method: Method,
    /// The path, with parameters like `{id}`.
    pub path: &'static str,
    /// The operation id, unique.
    pub id: &'static str,
    /// The summary, a few words.
    pub summary: &'static str,
    /// The description; may be empty.
    pub description: &'static str,
    handler: MethodRouter<Arc<AppState>>,
    describe: fn(&mut OperationBuilder<'_>),
    by_ticket: bool,
    problems: Vec<Code>,
    responses: Vec<Declared>,
    uploads: Vec<&'static str>,
}

/// Produces the schema of a body.
type Describe = fn(&mut OperationBuilder<'_>) -> Value;

/// A response that the return type of the handler does not determine.
#[derive(Clone, Debug)]
struct Declared {
    status: u16,
    description: &'static str,
    content: Option<(&'static str, Describe)>,
}

/// An argument of a handler that documents what it extracts from a request.
pub trait HandlerInput {
    /// Adds its documentation to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

/// The return type of a handler, which documents the response.
pub trait HandlerOutput {
    /// Adds its documentation to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

/// A handler whose arguments and return type are documented. `M` distinguishes the implementations.
pub trait Documented<M> {
    /// Adds their documentation to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        #[doc = concat!("`", stringify!($method), " path`, handled by `handler`.")]
        pub fn $name<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
        where
            H: Handler<M, Arc<AppState>> + Documented<D>,
            M: 'static,
        {
            Route::new(Method::$method, path, id, handler)
        }
    )*};
}

methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

impl Route {
    fn new<H, M, D>(method: Method, path: &'static str, id: &'static str, handler: H) -> Self
    where
        H: Handler<M, Arc<AppState>> + Documented<D>,
        M: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("the methods above are all known");
        Self {
            method,
            path,
            id,
            summary: "",
            description: "",
            handler: on(filter, handler),
            describe: <H as Documented<D>>::describe,
            by_ticket: false,
            problems: Vec::new(),
            responses: Vec::new(),
            uploads: Vec::new(),
        }
    }

    /// Sets the summary, a few words, and the description, which may be empty.
    #[must_use]
    pub fn summary(self, summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..self }
    }

    /// Adds the codes of problems that the handler itself returns; those of its arguments are known.
    #[must_use]
    pub fn problems(mut self, codes: &[Code]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The handler reads a body of this media type from the request itself.
    #[must_use]
    pub fn accepts(mut self, media_type: &'static str) -> Self {
        self.uploads.push(media_type);
        self
    }

    /// The handler redeems a ticket in `Sec-WebSocket-Protocol`.
    #[must_use]
    pub fn by_ticket(self) -> Self {
        Self { by_ticket: true, ..self }
    }

    /// Adds a response without content, or the description of a response whose content the return type determines.
    #[must_use]
    pub fn returns(mut self, status: u16, description: &'static str) -> Self {
        self.responses.push(Declared { status, description, content: None });
        self
    }

    /// Adds a response that the return type does not determine, e.g. of another media type than JSON. `T` is the schema of its
    /// content: `String` for text.
    #[must_use]
    pub fn returns_content<T: JsonSchema>(
        mut self,
        status: u16,
        media_type: &'static str,
        description: &'static str,
    ) -> Self {
        let content = Some((media_type, (|operation| operation.schema::<T>()) as Describe));
        self.responses.push(Declared { status, description, content });
        self
    }

    pub fn handler(&self) -> MethodRouter<Arc<AppState>> {
        self.handler.clone()
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.describe(&mut SchemaGenerator::default()).role
    }

    /// The documentation. Named schemas are collected in `generator`.
    pub fn describe(&self, generator: &mut SchemaGenerator) -> Operation {
        let mut operation = OperationBuilder::new(self.path, generator);
        (self.describe)(&mut operation);
        for media_type in &self.uploads {
            operation.file(media_type);
        }
        if self.by_ticket {
            operation.role(Role::Ticket);
        }
        for declared in &self.responses {
            let schema = declared.content.map(|(media_type, schema)| (media_type, schema(&mut operation)));
            operation.response(declared.status, declared.description, schema);
        }
        for code in self.problems.iter().chain(&[Code::InternalError, Code::Timeout]) {
            operation.problem(*code);
        }
        operation.build()
    }
}

impl HandlerInput for State<Arc<AppState>> {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl HandlerInput for HeaderMap {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

/// A handler that takes the whole request documents it with the methods of [`Route`].
impl HandlerInput for Request {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl HandlerInput for Result<Upgrade, UpgradeError> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.response(101, "The WebSocket is open.", None);
        operation.problem(Code::InvalidRequest);
    }
}

impl<T: JsonSchema> HandlerOutput for Json<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = operation.schema::<T>();
        operation.response(200, "Success.", Some(("application/json", schema)));
    }
}

/// The response is documented with [`Route::returns_content`].
impl HandlerOutput for Response {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl<T: HandlerOutput> HandlerOutput for Result<T, ApiError> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        T::describe(operation);
    }
}

macro_rules! documented {
    ($($input:ident),*) => {
        impl<F, Fut, Out, $($input),*> Documented<(Out, $($input,)*)> for F
        where
            F: FnOnce($($input),*) -> Fut,
            Fut: Future<Output = Out>,
            Out: HandlerOutput,
            $($input: HandlerInput,)*
        {
            fn describe(operation: &mut OperationBuilder<'_>) {
                $($input::describe(operation);)*
                Out::describe(operation);
            }
        }
    };
}

documented!();
documented!(A);
documented!(A, B);
documented!(A, B, C);
documented!(A, B, C, D);
documented!(A, B, C, D, E);
documented!(A, B, C, D, E, G);
documented!(A, B, C, D, E, G, H);
