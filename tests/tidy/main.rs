//! The rules of CONTRIBUTING that a machine can check, over every source file of the five packages. No process is started
//! and nothing is compiled: the files are read as text. Formatting and lints are the business of rustfmt and clippy.

mod allowed;
mod documents;
mod imports;
mod retired;
mod rules;
mod settings;
mod tokens;
mod tree;

use allowed::ALLOWED;
use rules::RULES;
use tree::Tree;

#[test]
fn source_files_follow_the_rules() {
    let tree = Tree::read();
    assert!(tree.files.len() > 300, "{} source files were found", tree.files.len());
    let mut broken = Vec::new();
    for rule in &RULES {
        let found = (rule.check)(&tree);
        let allowed = ALLOWED.iter().find(|(name, _)| *name == rule.name).map_or(0, |(_, count)| *count);
        if found.len() != allowed {
            let lines: Vec<String> = found.iter().map(|finding| format!("\n  {finding}")).collect();
            broken.push(format!("{}: {} found, {allowed} allowed{}", rule.name, found.len(), lines.concat()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
