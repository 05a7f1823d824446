//! Publishes a build of the page to the bucket behind CloudFront.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use aws_sdk_s3::{Client, primitives::ByteStream};
use events::page::cache_control;

use crate::progress::Progress;

/// Encodings of files, made for the ingress. CloudFront compresses itself.
const ENCODED: [&str; 2] = ["br", "gz"];

/// What loads all else. It is uploaded last, so that it never names a file that is not there yet.
const ENTRY: &str = "index.html";

/// Uploads the build in `folder`. Files of earlier builds stay, because open pages still load them. Returns the number of files.
///
/// # Errors
/// A file cannot be read or uploaded.
pub(super) async fn publish(
    s3: &Client,
    bucket: &str,
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<usize> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort_by_key(|file| file.ends_with(ENTRY));
    let total = files.len();
    for (done, file) in files.into_iter().enumerate() {
        let key = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let body = ByteStream::from_path(&file).await;
        let body = body.with_context(|| format!("cannot read {}", file.display()))?;
        let kind = mime_guess::from_path(&file).first_or_octet_stream();
        let put = s3.put_object().bucket(bucket).key(&key).content_type(kind.essence_str());
        let put = put.cache_control(cache_control(&key)).body(body).send().await;
        put.with_context(|| format!("cannot upload {key} to {bucket}"))?;
        progress.part(done + 1, total);
    }
    Ok(total)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let encoded = path.extension().is_some_and(|extension| ENCODED.iter().any(|one| extension == *one));
        if path.is_dir() {
            collect(&path, files)?;
        } else if !encoded {
            files.push(path);
        }
    }
    Ok(())
}
