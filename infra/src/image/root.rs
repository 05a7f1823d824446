//! The files of the image, beside the programs: what the C library and the TLS stack look for.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use pem::Pem;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::libraries;

/// The user that all programs run as. The task definitions name it, too.
pub const USER: u32 = 65532;

/// Its name.
pub const USER_NAME: &str = "nova";

/// Where the bill of materials is.
const BOM_PATH: &str = "usr/share/sbom/nova.cdx.json";

const PROGRAM_MODE: u32 = 0o755;

const FILE_MODE: u32 = 0o644;

/// Where container runtimes mount their file systems.
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

#[derive(Clone, Debug)]
pub(super) struct RootFile {
    /// From the root, without the first slash.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Folder,
    Bytes(Vec<u8>),
    /// Of a file of this machine.
    Copy(PathBuf),
}

/// Everything that `programs` need, folders first.
///
/// # Errors
/// A library is not on this machine.
pub(super) fn system(programs: &[&Path]) -> anyhow::Result<Vec<RootFile>> {
    let texts = [
        ("etc/passwd", format!("root:x:0:0:root:/:/\n{USER_NAME}:x:{USER}:{USER}:{USER_NAME}:/:/\n")),
        ("etc/group", format!("root:x:0:\n{USER_NAME}:x:{USER}:\n")),
        // The runtime mounts /etc/hosts and /etc/resolv.conf.
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        // Mozilla's roots, of the version in Cargo.lock: those of the build machine may include others.
        ("etc/ssl/certs/ca-certificates.crt", roots()),
        ("usr/share/licenses/nova/LICENSE", include_str!("../../../LICENSE").to_owned()),
    ];
    let texts = texts.into_iter().map(|(path, text)| file(path, Content::Bytes(text.into_bytes())));
    let libraries = libraries::closure(programs)?.into_iter().map(|(path, source)| RootFile {
        path: path.to_string_lossy().trim_start_matches('/').to_owned(),
        mode: PROGRAM_MODE,
        content: Content::Copy(source),
    });
    let files: Vec<RootFile> = texts.chain(libraries).collect();
    let folders: BTreeSet<String> = files.iter().flat_map(|file| folders(&file.path)).collect();
    let folders = folders.into_iter().chain(MOUNT_POINTS.map(str::to_owned));
    let folders = folders.map(|path| RootFile { path, mode: PROGRAM_MODE, content: Content::Folder });
    Ok(folders.chain(files).collect())
}

/// The program `name`, in the root folder.
pub(super) fn program(name: &str, path: &Path) -> RootFile {
    RootFile { path: name.to_owned(), mode: PROGRAM_MODE, content: Content::Copy(path.to_owned()) }
}

/// The bill of materials.
pub(super) fn bom(json: &[u8]) -> RootFile {
    file(BOM_PATH, Content::Bytes(json.to_vec()))
}

fn file(path: &str, content: Content) -> RootFile {
    RootFile { path: path.to_owned(), mode: FILE_MODE, content }
}

/// All folders above `path`: `etc`, `etc/ssl`.
fn folders(path: &str) -> impl Iterator<Item = String> {
    let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    ends.into_iter().map(move |end| path[..end].to_owned())
}

fn roots() -> String {
    let certificates = TLS_SERVER_ROOT_CERTS.iter();
    certificates.map(|certificate| pem::encode(&Pem::new("CERTIFICATE", certificate.as_ref()))).collect()
}
