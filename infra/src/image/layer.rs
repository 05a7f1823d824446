//! One layer: files in a tar archive that depends on nothing but them.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    str::FromStr as _,
};

use anyhow::Context as _;
use flate2::write::GzEncoder;
use oci_spec::image::{Descriptor, MediaType, Sha256Digest};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{
    Compression,
    root::{Content, RootFile},
};

/// A layer among the blobs of a layout.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) descriptor: Descriptor,
    /// Digest of the archive before its compression.
    pub(super) diff_id: String,
}

/// Packs `files` in their order.
///
/// # Errors
/// A file cannot be read, or the blob cannot be written.
pub(super) fn write(files: &[RootFile], compression: Compression, blobs: &Path) -> anyhow::Result<Layer> {
    let unnamed = blobs.join("unnamed");
    let file = File::create(&unnamed).with_context(|| format!("cannot write {}", unnamed.display()))?;
    let blob = Hashing::new(BufWriter::new(file));
    let (blob, diff_id, media_type) = match compression {
        Compression::None => {
            let (blob, diff_id) = pack(files, blob)?;
            (blob, diff_id, MediaType::ImageLayer)
        }
        Compression::Gzip => {
            let (packed, diff_id) = pack(files, GzEncoder::new(blob, flate2::Compression::default()))?;
            (packed.finish().context("cannot write a layer")?, diff_id, MediaType::ImageLayerGzip)
        }
    };
    let Hashing { mut inner, hash, bytes } = blob;
    inner.flush().context("cannot write a layer")?;
    let digest = hex::encode(hash.finalize());
    fs::rename(&unnamed, blobs.join(&digest)).context("cannot name a layer")?;
    let digest = Sha256Digest::from_str(&digest).context("a hash is a digest")?;
    Ok(Layer { descriptor: Descriptor::new(media_type, bytes, digest), diff_id })
}

/// The archive in `out`, and its digest.
fn pack<W: Write>(files: &[RootFile], out: W) -> anyhow::Result<(W, String)> {
    let mut archive = tar::Builder::new(Hashing::new(out));
    for file in files {
        append(&mut archive, file).with_context(|| format!("cannot pack /{}", file.path))?;
    }
    let Hashing { inner, hash, .. } = archive.into_inner().context("cannot end a layer")?;
    Ok((inner, format!("sha256:{}", hex::encode(hash.finalize()))))
}

fn append<W: Write>(archive: &mut tar::Builder<W>, file: &RootFile) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(file.mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    match &file.content {
        Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, &file.path, io::empty())
        }
        Content::Bytes(bytes) => {
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, &file.path, bytes.as_slice())
        }
        Content::Copy(path) => {
            let source = File::open(path)?;
            header.set_size(source.metadata()?.len());
            archive.append_data(&mut header, &file.path, source)
        }
    }
}

/// Hashes and counts what passes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_files_are_the_same_layer_compressed_or_not() {
        let files = [
            RootFile { path: "etc".to_owned(), mode: 0o755, content: Content::Folder },
            RootFile { path: "etc/passwd".to_owned(), mode: 0o644, content: Content::Bytes(b"x".to_vec()) },
        ];
        let folder = tempfile::tempdir().unwrap();
        let packed_as = |compression| write(&files, compression, folder.path()).unwrap();
        let (plain, packed) = (packed_as(Compression::None), packed_as(Compression::Gzip));
        assert_eq!(plain.descriptor, packed_as(Compression::None).descriptor);
        assert_eq!(packed.descriptor, packed_as(Compression::Gzip).descriptor);
        assert_eq!(plain.diff_id, packed.diff_id);
        assert_eq!(plain.descriptor.digest().to_string(), plain.diff_id);
        let blob = File::open(folder.path().join(packed.descriptor.digest().digest())).unwrap();
        assert_eq!(blob.metadata().unwrap().len(), packed.descriptor.size());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(blob));
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let found: Vec<(String, u32, u64)> = entries
            .map(|entry| {
                let header = entry.header();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, header.mode().unwrap(), header.mtime().unwrap() + header.uid().unwrap())
            })
            .collect();
        assert_eq!(found, [("etc".to_owned(), 0o755, 0), ("etc/passwd".to_owned(), 0o644, 0)]);
    }
}
