//! How a route is declared: once, by its handler. From the handler's arguments and answer come the extraction at run
//! time, the role that is needed and the documentation, so that none of them can say something else than the others.
//!
//! A resource is a file with its handlers and
//!
//! ```text
//! pub fn routes() -> Vec<Route> {
//!     vec![
//!         get("/api/things/{id}", "getThing", one)
//!             .says("A thing", "What it is, for people.")
//!             .problems(&[Code::ThingGone]),
//!     ]
//! }
//!
//! async fn one(
//!     State(app): State<Arc<AppState>>,
//!     Learner(user_id): Learner,           // 401 without a token, 403 for an account that is to be deleted; so `Analyst`, `Operator`
//!     Path(id): Path<ThingId>,             // 404 for what is no id; `Path<(ThingId, u32)>` for two, in their order
//!     Query(query): Query<ThingQuery>,     // 400 that names the parameter
//!     Body(request): Body<ThingRequest>,   // 400, 413, 415, 422 that names the field; comes last
//! ) -> Result<Json<Thing>, ApiError>       // 200; `Created`, `Accepted`, `NoContent`, or `Response` with `answers`
//! ```
//!
//! and a line in [`super::resources`]. Types of bodies, queries and paths derive `JsonSchema`. An error of the handler's own
//! is a row in [`crate::api::problem::codes`] that `problems` names here. The test `every_route_with_its_role` in `api.rs` lists
//! the route; `NOVA_BLESS=1 cargo test -p ingress --lib published_openapi` writes `schemas/api/openapi.json`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Request, State, WebSocketUpgrade},
    handler::Handler,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use http::{HeaderMap, Method};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::{
    api::problem::{ApiError, Code},
    app::AppState,
};

/// Who may call a route; each of the last three is a learner too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everybody.
    #[default]
    Public,
    /// The holder of a ticket.
    Ticket,
    /// The owner of a good access token, for what is the owner's.
    Learner,
    /// An analyst.
    Analyst,
    /// An operator.
    Operator,
}

/// A method of an address, with what answers it and what is said of it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address, with parameters as `{id}`.
    pub path: &'static str,
    /// The operation's id, unique.
    pub id: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// More of it.
    pub about: &'static str,
    handler: MethodRouter<Arc<AppState>>,
    describe: fn(&mut Sketch<'_>),
    by_ticket: bool,
    problems: Vec<Code>,
    answers: Vec<Declared>,
    files: Vec<&'static str>,
}

/// Makes the schema of a body.
type Describe = fn(&mut Sketch<'_>) -> Value;

/// An answer that the handler's type does not tell.
#[derive(Clone, Debug)]
struct Declared {
    status: u16,
    about: &'static str,
    content: Option<(&'static str, Describe)>,
}

/// What is said of an operation, while it is put together.
#[derive(Debug)]
pub struct Sketch<'a> {
    path: &'static str,
    generator: &'a mut SchemaGenerator,
    operation: Operation,
}

/// What is said of an operation.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Who may call it.
    pub role: Role,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The media types of the body and their schemas.
    pub body: BTreeMap<&'static str, Value>,
    /// The answers that are no problem, by status.
    pub answers: BTreeMap<u16, Answer>,
    /// The codes of its problems.
    pub problems: Vec<Code>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `path`, `query` or `header`.
    pub place: &'static str,
    /// Its name.
    pub name: String,
    /// Whether there is no request without it.
    pub required: bool,
    /// Its JSON schema.
    pub schema: Value,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What it means.
    pub about: &'static str,
    /// Its media types and their schemas.
    pub content: BTreeMap<&'static str, Value>,
    /// Its headers and what they mean.
    pub headers: BTreeMap<&'static str, &'static str>,
}

/// An argument of a handler, which knows what it takes from a request.
pub trait Input {
    /// Adds it to what is said of the operation.
    fn describe(sketch: &mut Sketch<'_>);
}

/// The answer of a handler, which knows what it looks like.
pub trait Output {
    /// Adds it to what is said of the operation.
    fn describe(sketch: &mut Sketch<'_>);
}

/// A handler whose arguments and answer say what they are. `M` tells the implementations apart.
pub trait Documented<M> {
    /// Adds them to what is said of the operation.
    fn describe(sketch: &mut Sketch<'_>);
}

/// `GET path`, answered by `handler`.
pub fn get<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
where
    H: Handler<M, Arc<AppState>> + Documented<D>,
    M: 'static,
{
    Route::new(Method::GET, path, id, handler)
}

/// `POST path`, answered by `handler`.
pub fn post<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
where
    H: Handler<M, Arc<AppState>> + Documented<D>,
    M: 'static,
{
    Route::new(Method::POST, path, id, handler)
}

/// `PUT path`, answered by `handler`.
pub fn put<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
where
    H: Handler<M, Arc<AppState>> + Documented<D>,
    M: 'static,
{
    Route::new(Method::PUT, path, id, handler)
}

/// `PATCH path`, answered by `handler`.
pub fn patch<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
where
    H: Handler<M, Arc<AppState>> + Documented<D>,
    M: 'static,
{
    Route::new(Method::PATCH, path, id, handler)
}

/// `DELETE path`, answered by `handler`.
pub fn delete<H, M, D>(path: &'static str, id: &'static str, handler: H) -> Route
where
    H: Handler<M, Arc<AppState>> + Documented<D>,
    M: 'static,
{
    Route::new(Method::DELETE, path, id, handler)
}

impl Role {
    /// Its name in problems and in the documentation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Ticket => "ticket",
            Self::Learner => "learner",
            Self::Analyst => "analyst",
            Self::Operator => "operator",
        }
    }
}

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
            about: "",
            handler: on(filter, handler),
            describe: <H as Documented<D>>::describe,
            by_ticket: false,
            problems: Vec::new(),
            answers: Vec::new(),
            files: Vec::new(),
        }
    }

    /// What the route does: in a few words, and in some sentences or "".
    #[must_use]
    pub fn says(self, summary: &'static str, about: &'static str) -> Self {
        Self { summary, about, ..self }
    }

    /// The codes of the problems that the handler itself answers with; those of its arguments are known.
    #[must_use]
    pub fn problems(mut self, codes: &[Code]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The handler reads a body of this media type by itself.
    #[must_use]
    pub fn takes(mut self, media_type: &'static str) -> Self {
        self.files.push(media_type);
        self
    }

    /// The handler redeems a ticket of the query.
    #[must_use]
    pub fn by_ticket(self) -> Self {
        Self { by_ticket: true, ..self }
    }

    /// An answer without content, or what an answer means whose content the handler's type tells.
    #[must_use]
    pub fn answers(mut self, status: u16, about: &'static str) -> Self {
        self.answers.push(Declared { status, about, content: None });
        self
    }

    /// An answer of another media type than JSON, or one that the handler's type does not tell. `T` is the schema of its
    /// content: `String` for text.
    #[must_use]
    pub fn answers_with<T: JsonSchema>(
        mut self,
        status: u16,
        media_type: &'static str,
        about: &'static str,
    ) -> Self {
        let content = Some((media_type, (|sketch| sketch.schema::<T>()) as Describe));
        self.answers.push(Declared { status, about, content });
        self
    }

    /// What answers it.
    pub fn handler(&self) -> MethodRouter<Arc<AppState>> {
        self.handler.clone()
    }

    /// Who may call it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.describe(&mut SchemaGenerator::default()).role
    }

    /// What is said of it. Schemas that it shares with others are left in the generator.
    pub fn describe(&self, generator: &mut SchemaGenerator) -> Operation {
        let mut sketch = Sketch { path: self.path, generator, operation: Operation::default() };
        (self.describe)(&mut sketch);
        for media_type in &self.files {
            sketch
                .operation
                .body
                .insert(media_type, serde_json::json!({ "type": "string", "format": "binary" }));
        }
        if self.by_ticket {
            sketch.role(Role::Ticket);
        }
        for declared in &self.answers {
            let schema = declared.content.map(|(media_type, schema)| (media_type, schema(&mut sketch)));
            sketch.answer(declared.status, declared.about, schema);
        }
        for code in self.problems.iter().chain(&[Code::InternalError, Code::Timeout]) {
            sketch.problem(*code);
        }
        sketch.operation.problems.sort_unstable();
        sketch.operation
    }
}

impl Sketch<'_> {
    /// The schema of `T`.
    pub fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    /// The caller needs `role`.
    pub fn role(&mut self, role: Role) {
        self.operation.role = self.operation.role.max(role);
        let codes: &[Code] = match role {
            Role::Public => &[],
            Role::Ticket => &[Code::TicketInvalid, Code::TicketUsed],
            Role::Learner => {
                &[Code::TokenMissing, Code::TokenExpired, Code::TokenInvalid, Code::KeysUnavailable]
            }
            Role::Analyst | Role::Operator => &[
                Code::TokenMissing,
                Code::TokenExpired,
                Code::TokenInvalid,
                Code::KeysUnavailable,
                Code::RoleMissing,
            ],
        };
        codes.iter().for_each(|code| self.problem(*code));
    }

    /// It may answer with the problem `code`.
    pub fn problem(&mut self, code: Code) {
        if !self.operation.problems.contains(&code) {
            self.operation.problems.push(code);
        }
    }

    /// It takes `T` as a body of the media type.
    pub fn body<T: JsonSchema>(&mut self, media_type: &'static str) {
        let schema = self.schema::<T>();
        self.operation.body.insert(media_type, schema);
    }

    /// It takes the properties of `T` as parameters of the query.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.generator).to_value();
        self.operation.parameters.extend(properties(&schema, "query"));
    }

    /// It takes `T` from the parameters of the address: one value, a tuple in their order, or a struct by their names.
    pub fn path<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.generator).to_value();
        let named = properties(&schema, "path");
        if !named.is_empty() {
            self.operation.parameters.extend(named);
            return;
        }
        let names =
            self.path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name));
        let schemas = match schema["prefixItems"].as_array() {
            Some(items) => items.clone(),
            None => vec![self.schema::<T>()],
        };
        let parameter = |(name, schema): (&str, Value)| Parameter {
            place: "path",
            name: name.to_owned(),
            required: true,
            schema,
        };
        self.operation.parameters.extend(names.zip(schemas).map(parameter));
    }

    /// It looks at the header `name`, where there is one.
    pub fn header(&mut self, name: &str, about: &str) {
        let schema = serde_json::json!({ "type": "string", "description": about });
        let parameter = Parameter { place: "header", name: name.to_owned(), required: false, schema };
        self.operation.parameters.push(parameter);
    }

    /// It answers with `status`; what was said of this answer before is kept where nothing else is said.
    pub fn answer(&mut self, status: u16, about: &'static str, content: Option<(&'static str, Value)>) {
        let answer = self.operation.answers.entry(status).or_default();
        if !about.is_empty() {
            answer.about = about;
        }
        answer.content.extend(content);
    }

    /// Its answers with `status` have the header `name`.
    pub fn answer_header(&mut self, status: u16, name: &'static str, about: &'static str) {
        self.operation.answers.entry(status).or_default().headers.insert(name, about);
    }
}

/// The properties of an object as parameters.
fn properties(schema: &Value, place: &'static str) -> Vec<Parameter> {
    let required = |name: &str| {
        place == "path" || schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| Parameter {
        place,
        name: name.clone(),
        required: required(name),
        schema: without_null(schema.clone()),
    };
    properties.map(parameter).collect()
}

/// A query cannot say `null`: what may be left out is said by `required`.
fn without_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type")
        && let Some(types) = kind.as_array_mut()
    {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            *kind = only.clone();
        }
    }
    let alternatives = schema["anyOf"].as_array().map(|all| {
        all.iter().filter(|alternative| alternative["type"] != "null").cloned().collect::<Vec<_>>()
    });
    if let Some([only]) = alternatives.as_deref()
        && let Some(object) = schema.as_object_mut()
    {
        object.remove("anyOf");
        object.extend(only.as_object().cloned().unwrap_or_default());
    }
    schema
}

impl Input for State<Arc<AppState>> {
    fn describe(_: &mut Sketch<'_>) {}
}

impl Input for HeaderMap {
    fn describe(_: &mut Sketch<'_>) {}
}

/// A handler that takes the whole request says what it takes with [`Route`]'s methods.
impl Input for Request {
    fn describe(_: &mut Sketch<'_>) {}
}

impl<R> Input for Result<WebSocketUpgrade, R> {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.answer(101, "The WebSocket is open.", None);
        sketch.problem(Code::InvalidRequest);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(sketch: &mut Sketch<'_>) {
        let schema = sketch.schema::<T>();
        sketch.answer(200, "What was asked for.", Some(("application/json", schema)));
    }
}

/// What the answer looks like is said with [`Route::answers`].
impl Output for Response {
    fn describe(_: &mut Sketch<'_>) {}
}

impl<T: Output> Output for Result<T, ApiError> {
    fn describe(sketch: &mut Sketch<'_>) {
        T::describe(sketch);
    }
}

macro_rules! documented {
    ($($input:ident),*) => {
        impl<F, Fut, Out, $($input),*> Documented<(Out, $($input,)*)> for F
        where
            F: FnOnce($($input),*) -> Fut,
            Fut: Future<Output = Out>,
            Out: Output,
            $($input: Input,)*
        {
            fn describe(sketch: &mut Sketch<'_>) {
                $($input::describe(sketch);)*
                Out::describe(sketch);
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
