//! S3 as the service uses it: conditional puts, reads, heads, lists and deletes. A list has one page, and each object one
//! version.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The buckets.
#[derive(Debug, Default)]
pub struct S3 {
    buckets: Vec<String>,
    /// Whether objects are stored without their bytes, for loads that would fill the memory.
    pub discards_bytes: bool,
    /// By bucket and key.
    pub objects: BTreeMap<(String, String), Object>,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub body: Vec<u8>,
    /// How often it was written.
    pub writes: u32,
    headers: Vec<(String, String)>,
}

impl S3 {
    pub(super) fn create(&mut self, bucket: &str) {
        self.buckets.push(bucket.to_owned());
    }
}

/// `request` is `{bucket, key, headers}`.
pub(super) fn answer(
    state: &mut State,
    operation: &str,
    request: &Value,
    body: &[u8],
) -> Result<Answer, ServiceError> {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let place = (text("bucket"), text("key"));
    let s3 = &mut state.s3;
    if !s3.buckets.contains(&place.0) {
        return Err(ServiceError::new(404, "NoSuchBucket", "no such bucket"));
    }
    match operation {
        "HeadBucket" => Ok(Answer::empty(Vec::new())),
        "PutObject" => {
            let stands = s3.objects.get(&place);
            match request["headers"]["if-none-match"].as_str() {
                Some("*") if stands.is_some() => {
                    return Err(ServiceError::new(412, "PreconditionFailed", "the key exists"));
                }
                Some("*") | None => {}
                Some(other) => return Err(ServiceError::unsupported(format!("If-None-Match: {other}"))),
            }
            let writes = stands.map_or(0, |object| object.writes) + 1;
            let kept = |name: &str| name.starts_with("x-amz-meta-") || name.starts_with("content-encoding");
            let sent = request["headers"].as_object().into_iter().flatten();
            let headers = sent
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let body = if s3.discards_bytes { Vec::new() } else { body.to_vec() };
            s3.objects.insert(place, Object { body, writes, headers });
            Ok(Answer::empty(vec![("etag".to_owned(), "\"1\"".to_owned())]))
        }
        "GetObject" | "HeadObject" => {
            let object = s3.objects.get(&place);
            let object = object.ok_or_else(|| ServiceError::new(404, "NoSuchKey", "no such key"))?;
            let mut headers = object.headers.clone();
            let body = if operation == "GetObject" { object.body.clone() } else { Vec::new() };
            let Some(range) = request["headers"]["range"].as_str() else {
                headers.push(("content-length".to_owned(), object.body.len().to_string()));
                return Ok(Answer { status: 200, headers, body });
            };
            let whole = body.len();
            let range = range_of(range, whole)
                .ok_or_else(|| ServiceError::new(416, "InvalidRange", "the range is not satisfiable"))?;
            headers.push(("content-length".to_owned(), range.len().to_string()));
            let (first, last) = (range.start, range.end - 1);
            headers.push(("content-range".to_owned(), format!("bytes {first}-{last}/{whole}")));
            Ok(Answer { status: 206, headers, body: body[range].to_vec() })
        }
        "ListObjectsV2" => {
            let (bucket, prefix) = (&place.0, text("prefix"));
            let keys =
                s3.objects.keys().filter(|(in_bucket, key)| in_bucket == bucket && key.starts_with(&prefix));
            let listed: String =
                keys.map(|(_, key)| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).collect();
            let listed =
                format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>");
            Ok(Answer::xml(listed))
        }
        // Every object has one version.
        "ListObjectVersions" => {
            let (bucket, prefix) = (&place.0, text("prefix"));
            let keys =
                s3.objects.keys().filter(|(in_bucket, key)| in_bucket == bucket && key.starts_with(&prefix));
            let listed: String = keys
                .map(|(_, key)| format!("<Version><Key>{key}</Key><VersionId>1</VersionId></Version>"))
                .collect();
            let listed =
                format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{listed}</ListVersionsResult>");
            Ok(Answer::xml(listed))
        }
        "DeleteObjects" => Ok(delete(state, &place.0, body)),
        other => Err(ServiceError::unsupported(format!("S3 {other}"))),
    }
}

/// The bytes of a `Range`; `None` if there are none.
fn range_of(range: &str, whole: usize) -> Option<std::ops::Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => first..whole.min(last.saturating_add(1)),
        (Ok(first), Err(_)) => first..whole,
        (Err(_), Ok(count)) => whole.saturating_sub(count)..whole,
        (Err(_), Err(_)) => return None,
    };
    (range.start < range.end).then_some(range)
}

/// Deletes the objects of the request; some of them may fail.
fn delete(state: &mut State, bucket: &str, request: &[u8]) -> Answer {
    let request = String::from_utf8_lossy(request);
    let keys = request.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    let mut failed = String::new();
    for (key, _) in keys {
        if state.anomaly(0.04) {
            write!(failed, "<Error><Key>{key}</Key><Code>InternalError</Code></Error>")
                .expect("writing to a string succeeds");
        } else {
            state.s3.objects.remove(&(bucket.to_owned(), key.to_owned()));
        }
    }
    Answer::xml(format!("<DeleteResult>{failed}</DeleteResult>"))
}
