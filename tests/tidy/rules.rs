//! The rules, each a function over the source files. What a rule allows stands in its message.

use std::{collections::BTreeMap, fmt};

use crate::{
    imports,
    retired::{FILE_NAMES, IDENTIFIERS, WORD_SCOPES, WORDS},
    tokens::{Token, begins, closing},
    tree::{Source, Tree},
};

/// The most lines of a file outside `#[cfg(test)]`.
const LINES_MAX: usize = 400;

/// The most top-level modules of the ingress.
const INGRESS_MODULES_MAX: usize = 15;

/// The fewest words of a header that are not in the path of its file.
const HEADER_WORDS_MIN: usize = 2;

/// The configuration of a binary has this name in each module that has one, and is named with its module: `alerts::Config`.
const PREFIXED_TYPE: &str = "Config";

/// What a file without async, clock, randomness, locks and I/O does not name.
const IMPURE: [&str; 25] = [
    "async",
    "await",
    "tokio",
    "Instant :: now",
    "SystemTime :: now",
    "Timestamp :: now",
    "Zoned :: now",
    "world :: now",
    "env :: now",
    "rand :: random",
    "rand :: rng",
    "thread_rng",
    "fastrand",
    "new_v4",
    "now_v7",
    "Mutex",
    "RwLock",
    "OnceLock",
    "OnceCell",
    "fs ::",
    "TcpListener",
    "TcpStream",
    "reqwest",
    "SdkConfig",
    "Client",
];

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// From the root of the repository.
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is there, and what is allowed.
    pub(crate) what: String,
}

/// A rule.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&Tree) -> Vec<Finding>,
}

/// All rules.
pub(crate) const RULES: [Rule; 13] = [
    Rule { name: "header", check: headers },
    Rule { name: "pure", check: pure },
    Rule { name: "file length", check: file_length },
    Rule { name: "retired identifier", check: retired_identifiers },
    Rule { name: "retired file name", check: retired_file_names },
    Rule { name: "retired word", check: retired_words },
    Rule { name: "test module name", check: test_module_names },
    Rule { name: "error name", check: error_names },
    Rule { name: "public type name", check: public_type_names },
    Rule { name: "import cycle", check: imports::cycles },
    Rule { name: "ingress modules", check: ingress_modules },
    Rule { name: "ignored test", check: ignored_tests },
    Rule { name: "tuple parameter", check: tuple_parameters },
];

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

fn finding(path: &str, line: usize, what: impl Into<String>) -> Finding {
    Finding { path: path.to_owned(), line, what: what.into() }
}

fn in_each(tree: &Tree, check: impl Fn(&str, &Source, &mut Vec<Finding>)) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in &tree.files {
        check(path, file, &mut found);
    }
    found
}

/// Values by the first token of their pattern.
fn by_first_token<T>(patterns: impl Iterator<Item = (&'static str, T)>) -> BTreeMap<&'static str, Vec<T>> {
    let mut by_token: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (pattern, value) in patterns {
        let first = pattern.split(' ').next().unwrap_or_default();
        by_token.entry(first).or_default().push(value);
    }
    by_token
}

fn headers(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        let header = file.header().to_lowercase();
        let path_words: Vec<&str> = path.split(|letter: char| !letter.is_alphanumeric()).collect();
        let says = header
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| {
                !word.is_empty() && !["a", "an", "the", "of", "for", "module", "pure"].contains(word)
            })
            .filter(|word| !path_words.contains(word) && !path_words.contains(&word.trim_end_matches('s')))
            .count();
        if says < HEADER_WORDS_MIN {
            let what = format!(
                "the header {:?}; the first line of a file begins with `//!` and says more than its name",
                file.header()
            );
            found.push(finding(path, 1, what));
        }
    })
}

fn pure(tree: &Tree) -> Vec<Finding> {
    let impure = by_first_token(IMPURE.iter().map(|pattern| (*pattern, *pattern)));
    in_each(tree, |path, file, found| {
        if !file.header().starts_with("PURE.") {
            return;
        }
        for (at, token) in file.code() {
            let named = impure.get(token.text.as_str()).into_iter().flatten();
            if let Some(pattern) = named.copied().find(|pattern| begins(&file.tokens, at, pattern)) {
                let what = format!(
                    "`{}` in a file that says PURE; it has no async, clock, randomness, lock, I/O or SDK client",
                    pattern.replace(' ', "")
                );
                found.push(finding(path, token.line, what));
            }
        }
    })
}

fn file_length(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        let lines = file.lines();
        if lines > LINES_MAX {
            let what = format!("{lines} lines outside #[cfg(test)]; at most {LINES_MAX} are allowed");
            found.push(finding(path, 1, what));
        }
    })
}

fn retired_identifiers(tree: &Tree) -> Vec<Finding> {
    let retired = by_first_token(IDENTIFIERS.iter().map(|retired| (retired.identifier, retired)));
    in_each(tree, |path, file, found| {
        for (at, token) in file.tokens.iter().enumerate() {
            let named = retired.get(token.text.as_str()).into_iter().flatten();
            for retired in named.filter(|retired| path.starts_with(retired.scope)) {
                if begins(&file.tokens, at, retired.identifier) {
                    let name = retired.identifier.replace(' ', "");
                    let what = format!("`{name}` is a retired name; use {}", retired.instead);
                    found.push(finding(path, token.line, what));
                }
            }
        }
    })
}

fn retired_file_names(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, _, found| {
        let retired = FILE_NAMES.iter().find(|retired| {
            path.starts_with(retired.scope) && path.ends_with(&format!("/{}.rs", retired.identifier))
        });
        if let Some(retired) = retired {
            found.push(finding(path, 1, format!("a retired file name; use {}", retired.instead)));
        }
    })
}

fn retired_words(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        if !WORD_SCOPES.iter().any(|scope| path.starts_with(scope)) {
            return;
        }
        let comments = (1..).zip(file.text.lines()).filter(|(_, line)| line.trim_start().starts_with("//"));
        for (line, comment) in comments {
            let comment = comment.to_lowercase();
            let words = comment.split(|letter: char| !letter.is_alphabetic());
            for (word, instead) in words.filter_map(|word| WORDS.iter().find(|(retired, _)| *retired == word))
            {
                found.push(finding(path, line, format!("`{word}` is not used in comments; use {instead}")));
            }
        }
    })
}

fn test_module_names(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        for module in file.modules.iter().filter(|module| module.test && !file.test) {
            let name = module.name.as_str();
            if name != "tests" && !name.ends_with("_tests") && !name.starts_with("test_") {
                let what = format!(
                    "module `{name}` is compiled for tests only; it is named `tests`, `…_tests` or `test_…`"
                );
                found.push(finding(path, module.line, what));
            }
        }
    })
}

fn error_names(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        let tokens = &file.tokens;
        for at in 0..tokens.len() {
            if !begins(tokens, at, "# [ derive (") {
                continue;
            }
            let end = closing(tokens, at + 1);
            let derived = &tokens[at..end];
            let is_error = (0..derived.len()).any(|at| {
                begins(derived, at, "thiserror :: Error")
                    || (derived[at].text == "Error" && derived[at - 1].text != "::")
            });
            let mut rest = tokens[end..].iter();
            let name = rest.find(|token| ["enum", "struct"].contains(&token.text.as_str()));
            let name = name.and_then(|_| rest.next());
            if let Some(name) = name.filter(|name| is_error && !name.text.ends_with("Error")) {
                let what = format!("`{}` is an error; the names of errors end in `Error`", name.text);
                found.push(finding(path, name.line, what));
            }
        }
    })
}

fn public_type_names(tree: &Tree) -> Vec<Finding> {
    let mut seen: BTreeMap<(&str, &str), (&str, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    for (path, file) in &tree.files {
        let package = path.split('/').next().unwrap_or_default();
        for (at, token) in file.code().filter(|(_, token)| token.text == "pub") {
            let [kind, name] = [1, 2].map(|ahead| file.tokens.get(at + ahead).map(|next| next.text.as_str()));
            let (Some("struct" | "enum" | "type" | "trait"), Some(name)) = (kind, name) else { continue };
            if name == PREFIXED_TYPE {
                continue;
            }
            match seen.get(&(package, name)) {
                Some((other, line)) => {
                    let what = format!(
                        "a second public type `{name}` ({other}:{line}); the public types of a package have different \
                         names"
                    );
                    found.push(finding(path, token.line, what));
                }
                None => {
                    seen.insert((package, name), (path, token.line));
                }
            }
        }
    }
    found
}

fn ingress_modules(tree: &Tree) -> Vec<Finding> {
    let path = "ingress/src/lib.rs";
    let modules = tree.files.get(path).map_or(&[][..], |file| &file.modules);
    let count = modules.iter().filter(|module| !module.test).count();
    if count <= INGRESS_MODULES_MAX {
        return Vec::new();
    }
    vec![finding(path, 1, format!("{count} top-level modules; at most {INGRESS_MODULES_MAX} are allowed"))]
}

fn ignored_tests(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        for (at, token) in file.tokens.iter().enumerate() {
            if begins(&file.tokens, at, "# [ ignore") {
                found.push(finding(path, token.line, "an ignored test; a test runs or is deleted"));
            }
        }
    })
}

/// Only the parameters of `fn`: those of closures take what an iterator yields.
fn tuple_parameters(tree: &Tree) -> Vec<Finding> {
    in_each(tree, |path, file, found| {
        for (at, token) in file.tokens.iter().enumerate() {
            if token.text != "fn" {
                continue;
            }
            let Some(open) = parameters(&file.tokens, at) else { continue };
            let mut depth = 0i32;
            for at in open + 1..closing(&file.tokens, open) {
                match file.tokens[at].text.as_str() {
                    "(" | "[" | "{" | "<" => depth += 1,
                    ")" | "]" | "}" | ">" => depth -= 1,
                    ":" if depth == 0 && borrows_a_struct(&file.tokens, at + 1) => {
                        let what = "a tuple with a reference to a struct as one parameter; it is a parameter for each, or a \
                                    struct with names";
                        found.push(finding(path, file.tokens[at].line, what));
                    }
                    _ => {}
                }
            }
        }
    })
}

/// The parenthesis that opens the parameters of the function at `at`.
fn parameters(tokens: &[Token], at: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, token) in tokens.iter().enumerate().skip(at + 2) {
        match token.text.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            "(" if depth == 0 => return Some(at),
            ";" | "{" => return None,
            _ => {}
        }
    }
    None
}

/// Whether a tuple type begins at `open`, and one of its elements is a reference to a named type that is no primitive.
fn borrows_a_struct(tokens: &[Token], open: usize) -> bool {
    let elements = &tokens[open..closing(tokens, open)];
    begins(tokens, open, "(")
        && elements.iter().any(|token| token.text == ",")
        && elements.iter().enumerate().filter(|(_, token)| token.text == "&").any(|(at, _)| {
            let mut rest = elements[at + 1..].iter();
            let named = rest.find(|token| !token.text.starts_with('\'') && token.text != "mut");
            named.is_some_and(|token| token.text.starts_with(char::is_uppercase))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each finding of the rule `name` in these files, as path and line.
    fn found(name: &str, files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let tree = Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let rule = RULES.iter().find(|rule| rule.name == name).expect("there is such a rule");
        (rule.check)(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect()
    }

    fn at(path: &str, line: usize) -> (String, usize) {
        (path.to_owned(), line)
    }

    #[test]
    fn header_that_is_missing_or_repeats_the_path_is_found() {
        let files = [
            ("a/src/api/turns.rs", "//! The turns of the API.\n"),
            ("a/src/api/words.rs", "// Counts the words of what was said.\n"),
            ("a/src/api/pages.rs", "//! Cuts lists into pages of a given length.\n"),
        ];
        assert_eq!(found("header", &files), [at("a/src/api/turns.rs", 1), at("a/src/api/words.rs", 1)]);
    }

    #[test]
    fn pure_file_with_a_clock_or_a_lock_is_found() {
        let files = [
            ("a/src/b.rs", "//! PURE. Sums.\nuse std::sync::Mutex;\nfn f() { Instant::now(); }\n"),
            ("a/src/c.rs", "//! PURE. Sums.\n#[cfg(test)]\nmod tests { use std::sync::Mutex; }\n"),
            ("a/src/d.rs", "//! Sums.\nuse std::sync::Mutex;\n"),
        ];
        assert_eq!(found("pure", &files), [at("a/src/b.rs", 2), at("a/src/b.rs", 3)]);
    }

    #[test]
    fn file_of_more_than_400_lines_is_found_without_its_tests() {
        let long = "fn f() {}\n".repeat(401);
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(
            found("file length", &[("a/src/b.rs", &long), ("a/src/c.rs", &tested)]),
            [at("a/src/b.rs", 1)]
        );
    }

    #[test]
    fn retired_name_is_found_in_its_scope() {
        let text = "// Farewell\nfn f(_: Farewell) {}\nstruct Place;\n";
        let files = [("ingress/src/results/a.rs", text), ("tests/src/b.rs", text)];
        let due =
            [at("ingress/src/results/a.rs", 2), at("ingress/src/results/a.rs", 3), at("tests/src/b.rs", 2)];
        assert_eq!(found("retired identifier", &files), due);
        let files = [("tests/src/cable.rs", ""), ("ingress/src/cable.rs", "")];
        assert_eq!(found("retired file name", &files), [at("tests/src/cable.rs", 1)]);
    }

    #[test]
    fn retired_word_in_a_comment_is_found_in_its_scope() {
        let text = "//! Reads words.\nfn told() {}\n    /// Nobody is told.\n";
        let files = [("tests/sim/a.rs", text), ("tests/live/b.rs", text)];
        assert_eq!(found("retired word", &files), [at("tests/sim/a.rs", 3), at("tests/sim/a.rs", 3)]);
    }

    #[test]
    fn module_for_tests_with_another_name_is_found() {
        let text =
            "#[cfg(test)]\nmod samples;\n#[cfg(test)]\nmod tests;\nmod other;\n#[cfg(test)]\nmod x_tests;\n";
        assert_eq!(found("test module name", &[("a/src/lib.rs", text)]), [at("a/src/lib.rs", 2)]);
    }

    #[test]
    fn error_that_is_not_named_so_is_found() {
        let text = "#[derive(Debug, thiserror::Error)]\n#[error(\"x\")]\npub enum Refused {}\n\
                    #[derive(Debug, Error)]\nstruct ReadError;\n#[derive(Debug)]\nenum Other {}\n";
        assert_eq!(found("error name", &[("a/src/b.rs", text)]), [at("a/src/b.rs", 3)]);
    }

    #[test]
    fn second_public_type_of_a_package_with_a_name_is_found() {
        let files = [
            ("a/src/b.rs", "pub struct Page;\n"),
            ("a/src/c.rs", "pub(crate) struct Page;\npub enum Page {}\n"),
            ("b/src/c.rs", "pub struct Page;\n"),
        ];
        assert_eq!(found("public type name", &files), [at("a/src/c.rs", 2)]);
    }

    #[test]
    fn sixteenth_module_of_the_ingress_is_found() {
        let modules = |count: u32| (0..count).map(|n| format!("pub mod m{n};\n")).collect::<String>();
        assert_eq!(found("ingress modules", &[("ingress/src/lib.rs", &modules(15))]), []);
        let path = "ingress/src/lib.rs";
        assert_eq!(found("ingress modules", &[(path, &modules(16))]), [at(path, 1)]);
    }

    #[test]
    fn ignored_test_is_found() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n";
        assert_eq!(found("ignored test", &[("a/src/b.rs", text)]), [at("a/src/b.rs", 2)]);
    }

    #[test]
    fn tuple_parameter_with_a_reference_to_a_struct_is_found() {
        let text = "fn a((x, y): (&Arc<X>, u8)) {}\nfn b(x: u8, y: (&'a mut Y, &str)) {}\n\
                    fn c(x: (&str, u8), y: &Y, z: Vec<(&Y, u8)>, f: impl Fn(u8, (&Y, u8))) -> (&Y, u8) {}\n";
        assert_eq!(
            found("tuple parameter", &[("a/src/b.rs", text)]),
            [at("a/src/b.rs", 1), at("a/src/b.rs", 2)]
        );
    }
}
