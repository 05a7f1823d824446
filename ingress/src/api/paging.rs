//! Pagination: `?limit=` and `?cursor=` of a request, `items` and `nextCursor` of a response.
//!
//! A cursor is opaque to clients. It is not secret and grants nothing: the owner of the list comes from the access token of each
//! request, so a cursor only holds the position in the order of the list.

use axum::extract::FromRequestParts;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    extract::Query,
    operation::OperationBuilder,
    problem::{ApiError, Code, Limit, Reason, Unit},
    route::HandlerInput,
};

/// Default number of items of a page.
pub const PAGE_ITEMS: u16 = 20;

pub const PAGE_ITEMS_MAX: u16 = 100;

const CURSOR_BYTES_MAX: usize = 1_024;

/// A position in a list: the sort key of an item. A cursor of another list is rejected.
pub trait CursorPosition: Serialize + DeserializeOwned {
    const LIST: &'static str;
}

/// The requested page: an argument of handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging<P> {
    /// Maximum number of items, 1 to [`PAGE_ITEMS_MAX`].
    pub limit: u16,
    /// The position of the last item of the previous page; `None` for the first page.
    pub after: Option<P>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct PageQuery {
    /// Maximum number of items; 20 by default.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u16>,
    /// `nextCursor` of the previous page.
    #[schemars(length(max = 1024))]
    cursor: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Cursor<P> {
    list: String,
    after: P,
}

impl<T> Page<T> {
    /// A page, with the position after which the next page begins, if there is one.
    pub fn new<P: CursorPosition>(items: Vec<T>, next: Option<P>) -> Self {
        Self { items, next_cursor: next.map(encode) }
    }
}

impl<P: CursorPosition, S: Send + Sync> FromRequestParts<S> for Paging<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state).await?;
        let limit = query.limit.unwrap_or(PAGE_ITEMS);
        if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            let allowed = Limit::between(1_u64, PAGE_ITEMS_MAX, Unit::Items);
            let message = format!("must be 1 to {PAGE_ITEMS_MAX}, not {limit}");
            return Err(ApiError::query("limit", allowed, message));
        }
        let after = query.cursor.as_deref().map(|cursor| {
            let message = "must be a `nextCursor` of this list";
            decode(cursor).ok_or_else(|| ApiError::query("cursor", Reason::Malformed, message))
        });
        Ok(Self { limit, after: after.transpose()? })
    }
}

impl<P> HandlerInput for Paging<P> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.query::<PageQuery>();
        operation.problem(Code::QueryInvalid);
    }
}

fn encode<P: CursorPosition>(after: P) -> String {
    let cursor = Cursor { list: P::LIST.to_owned(), after };
    let json = serde_json::to_vec(&cursor).expect("a position is plain data with string keys");
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

fn decode<P: CursorPosition>(cursor: &str) -> Option<P> {
    if cursor.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let json = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let cursor: Cursor<P> = serde_json::from_slice(&json).ok()?;
    (cursor.list == P::LIST).then_some(cursor.after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Of<const N: u8> {
        at: i64,
        name: String,
    }

    impl CursorPosition for Of<1> {
        const LIST: &'static str = "one";
    }

    impl CursorPosition for Of<2> {
        const LIST: &'static str = "two";
    }

    async fn paging(query: &str) -> Result<Paging<Of<1>>, ApiError> {
        let request = http::Request::get(format!("http://x/?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Paging::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_page_has_a_longest_length_and_a_wrong_limit_is_named() {
        assert_eq!(paging("").await.unwrap(), Paging { limit: PAGE_ITEMS, after: None });
        assert_eq!(paging("limit=100&other=1").await.unwrap().limit, PAGE_ITEMS_MAX);
        for query in ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=70000"] {
            let error = paging(query).await.unwrap_err();
            assert!(matches!(&error, ApiError::Query { field, .. } if field == "limit"), "{query}: {error}");
        }
    }

    #[tokio::test]
    async fn a_cursor_goes_on_with_its_own_list_alone() {
        let after = Of::<1> { at: 7, name: "a/b?".to_owned() };
        let page = Page::new(vec![1, 2], Some(after.clone()));
        let cursor = page.next_cursor.unwrap();
        assert_eq!(paging(&format!("cursor={cursor}")).await.unwrap().after, Some(after));
        assert_eq!(decode::<Of<2>>(&cursor), None);
        let long = "A".repeat(CURSOR_BYTES_MAX + 1);
        for wrong in ["", "x", "e30", long.as_str(), &cursor[1..]] {
            let error = paging(&format!("cursor={wrong}")).await.unwrap_err();
            assert!(matches!(&error, ApiError::Query { field, .. } if field == "cursor"), "{wrong}: {error}");
        }
        assert_eq!(serde_json::to_string(&Page::new(vec![1], None::<Of<1>>)).unwrap(), r#"{"items":[1]}"#);
    }

    proptest! {
        #![proptest_config(crate::test_fuzz::cases(256))]

        #[test]
        fn whatever_a_cursor_says_is_taken_or_refused(at: i64, name in ".{0,40}", wrong in ".{0,200}") {
            let after = Of::<1> { at, name };
            prop_assert_eq!(decode::<Of<1>>(&encode(after.clone())), Some(after));
            let _ = decode::<Of<1>>(&wrong);
            let _ = decode::<Of<1>>(&BASE64_URL_SAFE_NO_PAD.encode(&wrong));
        }
    }
}
