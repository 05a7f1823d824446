//! Functions: from a built binary to an archive in S3, from where a template takes it.

use std::{
    env, fs,
    io::{Cursor, Write as _},
};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::Binaries;
use crate::deploy::{FUNCTION_PROGRAM, Function};

/// Who may do what with the program in the archive.
const PERMISSIONS: u32 = 0o755;

/// The function of the user pool's triggers, packed. The key has the hash of the archive in it: the same program has the
/// same key.
///
/// # Errors
/// The program is not built, or its architecture is none of Lambda's.
pub async fn sign_up_function(binaries: &Binaries) -> anyhow::Result<Function> {
    let path = binaries.path("sign_up");
    let packed = tokio::task::spawn_blocking(move || {
        let program = fs::read(&path).with_context(|| {
            format!("{} is not there; build it with `cargo build --workspace --bins`", path.display())
        })?;
        let archive = archive(&program)?;
        let hash = hex::encode(Sha256::digest(&archive));
        anyhow::Ok((archive, hash))
    });
    let (archive, hash) = packed.await.context("the packing of a function failed")??;
    Ok(Function { archive, key: format!("functions/sign_up/{hash}.zip"), architecture: architecture()? })
}

/// What the programs beside this one are built for, as Lambda calls it.
///
/// # Errors
/// It is nothing that Lambda runs.
fn architecture() -> anyhow::Result<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Ok("x86_64"),
        "aarch64" => Ok("arm64"),
        other => bail!("functions run on x86_64 and arm64, and this is {other}"),
    }
}

/// Stored, not compressed, and always with the same time: the same program is the same archive.
fn archive(program: &[u8]) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(PERMISSIONS);
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(program.len() + 1024)));
    zip.start_file(FUNCTION_PROGRAM, options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use zip::ZipArchive;

    use super::*;

    #[test]
    fn an_archive_holds_the_program_executable_and_is_always_the_same() {
        let packed = archive(b"program").unwrap();
        assert_eq!(packed, archive(b"program").unwrap());
        let mut zip = ZipArchive::new(Cursor::new(packed)).unwrap();
        assert_eq!(zip.len(), 1);
        let mut file = zip.by_name(FUNCTION_PROGRAM).unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(PERMISSIONS));
        let mut program = Vec::new();
        file.read_to_end(&mut program).unwrap();
        assert_eq!(program, b"program");
    }
}
