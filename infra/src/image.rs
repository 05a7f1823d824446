//! The container image of the service, made without an engine: from nothing, one image for all binaries. It holds the binaries, the
//! shared libraries that they load, roots of trust, a user without rights, and its bill of materials. No shell is in it.
//!
//! The same files give the same digest: times, owners and order are fixed. It is for the architecture of this machine; a build on an
//! arm64 machine gives an arm64 image.

mod layer;
mod layout;
mod libraries;
mod registry;
mod root;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use events::workers::Worker;
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, HistoryBuilder, ImageConfigurationBuilder, ImageManifestBuilder,
    MediaType, Os, RootFsBuilder, SCHEMA_VERSION,
};

pub use registry::{RegistryAuth, ecr_login, push};
pub use root::{USER, USER_NAME};

/// Name of the image in the layout.
const TAG: &str = "nova";

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct ImageSource {
    /// The folder with `ingress` and the workers.
    pub programs: PathBuf,
    /// The bill of materials.
    pub bom: Vec<u8>,
    pub compression: Compression,
}

/// Of the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// For debug builds.
    None,
    Gzip,
}

/// An image in an OCI layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerImage {
    /// The folder of the layout, which `skopeo`, `podman` and `crane` read.
    pub layout: PathBuf,
    /// Digest of the manifest, `sha256:…`.
    pub digest: String,
    /// Size of all blobs.
    pub bytes: u64,
}

impl ImageSource {
    /// Writes the image into the folder `layout`, in place of what an earlier call wrote there. Blocks.
    ///
    /// # Errors
    /// A binary is not built, a library is not on this machine, the folder holds something else or cannot be written.
    pub fn write(&self, layout: &Path) -> anyhow::Result<ContainerImage> {
        layout::clear(layout)?;
        let blobs = layout::blobs(layout);
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        let programs = programs().map(|name| (name, self.programs.join(name)));
        let programs: Vec<(&str, PathBuf)> = programs.collect();
        for (_, path) in &programs {
            ensure!(
                path.is_file(),
                "{} is not there; build it with `cargo build --workspace --bins`",
                path.display()
            );
        }
        // What changes seldom comes first: a registry keeps layers that it has.
        let paths: Vec<&Path> = programs.iter().map(|(_, path)| path.as_path()).collect();
        let mut layers = vec![("system", layer::write(&root::system(&paths)?, self.compression, &blobs)?)];
        for (name, path) in &programs {
            layers.push((name, layer::write(&[root::program(name, path)], self.compression, &blobs)?));
        }
        layers.push(("bill of materials", layer::write(&[root::bom(&self.bom)], self.compression, &blobs)?));
        let config = layout::put_json(layout, &configuration(&layers)?, MediaType::ImageConfig)?;
        let descriptors = layers.iter().map(|(_, layer)| layer.descriptor.clone());
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config.clone())
            .layers(descriptors.collect::<Vec<Descriptor>>())
            .build()?;
        let descriptor = layout::put_json(layout, &manifest, MediaType::ImageManifest)?;
        layout::finish(layout, &descriptor, TAG)?;
        let bytes = layers.iter().map(|(_, layer)| layer.descriptor.size()).sum::<u64>();
        Ok(ContainerImage {
            layout: layout.to_owned(),
            digest: descriptor.digest().to_string(),
            bytes: bytes + config.size() + descriptor.size(),
        })
    }
}

/// The names of the binaries in the image.
pub fn programs() -> impl Iterator<Item = &'static str> {
    std::iter::once("ingress").chain(Worker::ALL.map(Worker::name))
}

fn configuration(layers: &[(&str, layer::Layer)]) -> anyhow::Result<oci_spec::image::ImageConfiguration> {
    let config = ConfigBuilder::default()
        .user(USER.to_string())
        // Without a program in the command of a task, the ingress.
        .cmd(vec!["/ingress".to_owned()])
        .working_dir("/")
        .exposed_ports(vec!["3000/tcp".to_owned()])
        .build()?;
    let history = |name: &str| {
        HistoryBuilder::default().created_by(format!("nova image: {name}")).build().map_err(Into::into)
    };
    let diff_ids = layers.iter().map(|(_, layer)| layer.diff_id.clone());
    Ok(ImageConfigurationBuilder::default()
        .architecture(architecture()?)
        .os(Os::Linux)
        .config(config)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids.collect::<Vec<String>>()).build()?)
        .history(layers.iter().map(|(name, _)| history(name)).collect::<anyhow::Result<Vec<_>>>()?)
        .build()?)
}

fn architecture() -> anyhow::Result<Arch> {
    match env::consts::ARCH {
        "x86_64" => Ok(Arch::Amd64),
        "aarch64" => Ok(Arch::ARM64),
        other => bail!("Fargate runs x86_64 and arm64, and this is {other}"),
    }
}
