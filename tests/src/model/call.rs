//! PURE. Decodes a call from its HTTP request, by the protocol of the service.

use serde_json::{Map, Value, json};

/// The parts of an HTTP request that a service reads.
#[derive(Clone, Debug)]
pub(super) struct Arrived<'a> {
    /// The service by the name of its endpoint: `sqs`, `s3`, `bedrock-runtime`.
    pub(super) service: &'a str,
    /// For S3: the bucket.
    pub(super) bucket: &'a str,
    pub(super) method: &'a str,
    /// Path without its first slash; for S3 the key.
    pub(super) path: &'a str,
    /// Query string.
    pub(super) query: &'a str,
    /// Headers for which [`is_read`] holds, in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) input: Value,
    pub(super) body: Vec<u8>,
}

const TARGET: &str = "x-amz-target";

/// Whether a service reads this header.
pub(super) fn is_read(name: &str) -> bool {
    name.starts_with("x-amz-meta-")
        || matches!(name, TARGET | "if-none-match" | "if-match" | "content-encoding" | "range")
}

impl Call {
    pub(super) fn read(arrived: Arrived<'_>) -> Self {
        if arrived.service == "s3" {
            return Self::read_s3(arrived);
        }
        let Arrived { service, method, path, headers, body, .. } = arrived;
        let target = headers.iter().find(|(name, _)| name == TARGET);
        let json = || serde_json::from_slice(&body).unwrap_or_default();
        let (operation, input) = match target {
            Some((_, target)) => (target.rsplit('.').next().unwrap_or_default().to_owned(), json()),
            None if service == "sns" => {
                let form = form(&body);
                (form["Action"].as_str().unwrap_or_default().to_owned(), form)
            }
            None if path.ends_with("/converse") => ("Converse".to_owned(), json()),
            None => (format!("{method} {path}"), Value::Null),
        };
        Self { service: service.to_owned(), operation, input, body }
    }

    fn read_s3(arrived: Arrived<'_>) -> Self {
        let Arrived { bucket, method, path: key, query, headers, body, .. } = arrived;
        let query = form(query.as_bytes());
        let asks = |name: &str| query.get(name).is_some();
        let operation = match (method, key.is_empty()) {
            ("GET", true) if asks("versions") => "ListObjectVersions",
            ("GET", true) if asks("list-type") => "ListObjectsV2",
            ("POST", true) if asks("delete") => "DeleteObjects",
            ("HEAD", true) => "HeadBucket",
            ("HEAD", false) => "HeadObject",
            ("GET", false) => "GetObject",
            ("PUT", false) => "PutObject",
            (other, _) => other,
        };
        let headers: Map<String, Value> =
            headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        let input = json!({ "bucket": bucket, "key": key, "headers": headers, "bytes": body.len(), "prefix": query["prefix"] });
        Self { service: "s3".to_owned(), operation: operation.to_owned(), input, body }
    }
}

fn form(body: &[u8]) -> Value {
    let mut form: Map<String, Value> = form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    // The SDK numbers attributes in the order of a hash map. Here they are sorted by name.
    let mut attributes = Map::new();
    for number in 1.. {
        let entry = format!("MessageAttributes.entry.{number}");
        let Some(name) = form.remove(&format!("{entry}.Name")) else { break };
        form.remove(&format!("{entry}.Value.DataType"));
        let value = form.remove(&format!("{entry}.Value.StringValue")).unwrap_or_default();
        attributes.insert(name.as_str().unwrap_or_default().to_owned(), value);
    }
    form.insert("MessageAttributes".to_owned(), attributes.into());
    Value::Object(form)
}
