//! Which version of the C library a program needs. A function of Lambda runs with that of Amazon Linux 2023, whatever it was built on.

use std::fmt;

use anyhow::Context as _;
use goblin::elf::Elf;

/// The C library of the runtime `provided.al2023`.
pub const GLIBC_OF_LAMBDA: GlibcVersion = GlibcVersion(2, 34);

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion(pub u32, pub u32);

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "glibc {}.{}", self.0, self.1)
    }
}

/// The newest version of the C library whose symbols `program` needs, the content of its file; `None` if it needs none, as a static
/// program.
///
/// # Errors
/// It is no ELF file.
pub fn needed_glibc(program: &[u8]) -> anyhow::Result<Option<GlibcVersion>> {
    let elf = Elf::parse(program).context("the file is not in the format ELF")?;
    let Some(needs) = &elf.verneed else { return Ok(None) };
    let names = needs.iter().flat_map(|need| {
        let versions = need.iter().map(|version| version.vna_name).collect::<Vec<_>>();
        versions.into_iter().filter_map(|name| elf.dynstrtab.get_at(name))
    });
    Ok(names.filter_map(version).max())
}

/// Of a version of a symbol: `GLIBC_2.34`, `GLIBC_2.2.5`.
fn version(name: &str) -> Option<GlibcVersion> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some(GlibcVersion(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_needed_version_is_read_from_a_program() {
        assert_eq!(version("GLIBC_2.2.5"), Some(GlibcVersion(2, 2)));
        assert_eq!(version("GLIBC_2.34"), Some(GLIBC_OF_LAMBDA));
        assert_eq!(version("GLIBC_PRIVATE"), None);
        assert!(GlibcVersion(2, 9) < GLIBC_OF_LAMBDA);
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let this = needed_glibc(&this).unwrap().unwrap();
        assert!(this > GlibcVersion(2, 2) && this < GlibcVersion(3, 0), "{this}");
        assert!(needed_glibc(b"root:x:0:0").is_err());
    }
}
