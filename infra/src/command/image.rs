//! `nova image`: makes the container image of the service, without an engine.

use std::{path::PathBuf, process::ExitCode};

use infra::local::{build, container_image, workspace};

use crate::console::Console;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder is an OCI layout. `nova deploy --aws` makes and pushes the image itself; another tool copies it with
`skopeo copy oci:target/image docker://HOST/NAME`. A debug build is not compressed."
)]
pub(super) struct ImageArguments {
    /// Folder of the OCI layout; an earlier image there is replaced
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) async fn run(arguments: ImageArguments, console: &Console) -> anyhow::Result<ExitCode> {
    let progress = console.progress();
    progress.begin("Building the binaries");
    let binaries = build(&progress).await?;
    progress.end("");
    progress.begin("Making the image");
    let layout = arguments.output.unwrap_or_else(|| workspace().join("target/image"));
    let made = container_image(&binaries, layout).await?;
    progress.end(&format!("{} MB", made.bytes / 1_000_000));
    console.line(&format!("{}\n{}", made.digest, made.layout.display()));
    Ok(ExitCode::SUCCESS)
}
