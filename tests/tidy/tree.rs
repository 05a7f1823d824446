//! The source files of the packages, and how they form modules.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::tokens::{Token, begins, closing, test_lines, tokens};

/// The packages of the workspace, by folder.
const PACKAGES: [&str; 5] = ["events", "infra", "ingress", "tests", "workers"];

/// Source files by path from the root of the repository, for example `ingress/src/live/session.rs`.
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, Source>,
}

/// A source file.
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// The modules that it declares in files of their own.
    pub(crate) modules: Vec<Module>,
    /// The file that declares it; none has the root of a crate.
    pub(crate) parent: Option<String>,
    /// It, or a module around it, is compiled for tests only.
    pub(crate) test: bool,
}

/// A declaration `mod name;`.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// It is compiled for tests only.
    pub(crate) test: bool,
    /// Where its file is.
    pub(crate) path: String,
}

impl Tree {
    /// The files of this repository.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for package in PACKAGES {
            collect(&root.join(package), &mut files);
        }
        Self::new(files.iter().map(|path| {
            let name = path.strip_prefix(&root).expect("it is below the root");
            let text = fs::read_to_string(path).expect("a source file is readable");
            (name.to_string_lossy().into_owned(), text)
        }))
    }

    /// Files by path and text.
    pub(crate) fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files: BTreeMap<String, Source> =
            files.into_iter().map(|(path, text)| (path.clone(), Source::new(&path, text))).collect();
        let declared: Vec<(String, Module)> = files
            .iter()
            .flat_map(|(path, file)| file.modules.iter().map(|module| (path.clone(), module.clone())))
            .collect();
        for (parent, module) in declared {
            if let Some(file) = files.get_mut(&module.path) {
                file.parent = Some(parent);
                file.test |= module.test;
            }
        }
        let mut tree = Self { files };
        let tests: Vec<String> =
            tree.files.iter().filter(|(_, file)| file.test).map(|(path, _)| path.clone()).collect();
        for path in tests {
            tree.mark_tests_below(&path);
        }
        tree
    }

    fn mark_tests_below(&mut self, path: &str) {
        let children = self.files.get(path).map(|file| file.modules.clone()).unwrap_or_default();
        for child in children {
            if let Some(file) = self.files.get_mut(&child.path) {
                file.test = true;
                self.mark_tests_below(&child.path);
            }
        }
    }

    /// The root file of the crate that `path` belongs to.
    pub(crate) fn root<'a>(&'a self, path: &'a str) -> &'a str {
        self.ancestors(path).last().unwrap_or(path)
    }

    /// The files that declare the modules around `path`, innermost first.
    pub(crate) fn ancestors<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let parent = |path: &str| self.files.get(path)?.parent.as_deref();
        std::iter::successors(parent(path), move |path| parent(path))
    }
}

impl Source {
    fn new(path: &str, text: String) -> Self {
        let tokens = tokens(&text);
        let modules = declared(path, &text, &tokens);
        let test = tokens.first().is_some_and(|token| token.test) && tokens.iter().all(|token| token.test);
        Self { text, tokens, modules, parent: None, test }
    }

    /// The tokens that are not compiled for tests only.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().filter(|(_, token)| !self.test && !token.test)
    }

    /// How many lines are not compiled for tests only.
    pub(crate) fn lines(&self) -> usize {
        if self.test {
            return 0;
        }
        let tests: usize = test_lines(&self.tokens).iter().map(ExactSizeIterator::len).sum();
        self.text.lines().count() - tests
    }

    /// The `//!` lines at the top, without the marks.
    pub(crate) fn header(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

/// The modules that the file at `path` declares in files of their own.
fn declared(path: &str, text: &str, tokens: &[Token]) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut at = 0;
    while at + 2 < tokens.len() {
        if tokens[at].text == "mod" && tokens[at + 2].text == ";" {
            let (name, line) = (tokens[at + 1].text.clone(), tokens[at].line);
            let path = path_attribute(text, line)
                .map_or_else(|| module_path(path, &name), |named| format!("{}/{named}", folder(path)));
            modules.push(Module { name, line, test: tokens[at].test, path });
        } else if tokens[at].text == "{" && !begins(tokens, at.saturating_sub(2), "extern") {
            // Modules in files are declared at the top level only.
            at = closing(tokens, at);
        }
        at += 1;
    }
    modules
}

/// What `#[path = "…"]` says in the line before `line`.
fn path_attribute(text: &str, line: usize) -> Option<&str> {
    let before = text.lines().nth(line.checked_sub(2)?)?;
    before.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")
}

/// Where the module `name` is that the file at `path` declares.
fn module_path(path: &str, name: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    if is_root(path) { format!("{}/{name}.rs", folder(path)) } else { format!("{stem}/{name}.rs") }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether the file is the root of a crate, which finds its modules in its own folder.
fn is_root(path: &str) -> bool {
    path.ends_with("/main.rs") || path.ends_with("/lib.rs") || path.contains("/src/bin/")
}

/// The Rust files below `folder`, without those of dependencies.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") && !path.ends_with("target") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn module_of_a_test_module_is_test_code() {
    let files = [
        ("a/src/lib.rs", "#[cfg(test)]\nmod tests;\nmod live;\n"),
        ("a/src/tests.rs", "mod deep;\n"),
        ("a/src/tests/deep.rs", "fn f() {}\n"),
        ("a/src/live.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n"),
    ];
    let tree = Tree::new(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert!(tree.files["a/src/tests/deep.rs"].test && !tree.files["a/src/live.rs"].test);
    assert_eq!(tree.files["a/src/live.rs"].lines(), 2);
    assert_eq!(tree.root("a/src/tests/deep.rs"), "a/src/lib.rs");
}
