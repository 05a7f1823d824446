//! Responses of handlers besides [`axum::Json`]: the status is part of the type, so that it is documented.

use std::borrow::Cow;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{operation::OperationBuilder, route::HandlerOutput};

/// The schema of the content of a file.
#[derive(Clone, Copy, Debug)]
pub struct Binary;

impl JsonSchema for Binary {
    fn schema_name() -> Cow<'static, str> {
        "Binary".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "binary" })
    }
}

/// 201 with the created resource.
#[derive(Clone, Debug)]
pub struct Created<T>(pub T);

/// 202 with the state of the accepted request.
#[derive(Clone, Debug)]
pub struct Accepted<T>(pub T);

/// 204.
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<T: JsonSchema> HandlerOutput for Created<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = operation.schema::<T>();
        operation.response(201, "Created.", Some(("application/json", schema)));
    }
}

impl<T: JsonSchema> HandlerOutput for Accepted<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = operation.schema::<T>();
        operation.response(202, "Accepted.", Some(("application/json", schema)));
    }
}

impl HandlerOutput for NoContent {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.response(204, "Done.", None);
    }
}
