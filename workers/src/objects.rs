//! Deletes objects in S3 in all their versions.

use anyhow::anyhow;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use events::runtime::failure::Failure;

/// Deletes every version and every delete marker of every object under `prefix` of `bucket`. Returns their number. It
/// deletes one page of at most 1000 at a time, so memory stays bounded and a repetition after a crash lists only the rest.
///
/// # Errors
/// By the class of the failed call. A version that S3 refuses to delete is a retry, after the others were deleted.
pub(crate) async fn erase(s3: &aws_sdk_s3::Client, bucket: &str, prefix: &str) -> Result<usize, Failure> {
    let (mut found, mut key_marker, mut version_marker) = (0, None, None);
    loop {
        let page = s3
            .list_object_versions()
            .bucket(bucket)
            .prefix(prefix)
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to list objects"))?;
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let objects = versions
            .chain(markers)
            .map(|(key, version)| {
                let key = key.unwrap_or_default();
                ObjectIdentifier::builder().key(key).set_version_id(version.map(str::to_owned)).build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failure::retry)?;
        found += objects.len();
        if !objects.is_empty() {
            delete(s3, bucket, objects).await?;
        }
        if page.is_truncated() != Some(true) {
            return Ok(found);
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        version_marker = page.next_version_id_marker().map(str::to_owned);
    }
}

/// Deletes one page. A successful response lists the objects that were not deleted.
async fn delete(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> Result<(), Failure> {
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(Failure::retry)?;
    let output = s3
        .delete_objects()
        .bucket(bucket)
        .delete(delete)
        .send()
        .await
        .map_err(|error| Failure::aws(error).context("failed to delete objects"))?;
    match output.errors() {
        [] => Ok(()),
        [first, ..] => Err(Failure::retry(anyhow!(
            "{} objects could not be deleted, the first with {}",
            output.errors().len(),
            first.code().unwrap_or("no code")
        ))),
    }
}
