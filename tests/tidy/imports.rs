//! PURE. The import graph of the files of a crate, and its cycles.
//!
//! An edge leads from a file to the file of the module that a path beginning with `crate::`, `super::`, `self::` or a
//! child module names, in a `use` or elsewhere. Paths that are compiled for tests only do not count, and neither do
//! paths to a module around the file: a child reads its parent's items, and the parent is what it is part of. Two files
//! that import each other are allowed; a cycle of three or more is not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    rules::Finding,
    tokens::{Token, closing},
    tree::Tree,
};

/// Files, and the line of the first import by imported file.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, usize>>;

/// Each import cycle of more than two files, as one finding at its first file.
pub(crate) fn cycles(tree: &Tree) -> Vec<Finding> {
    let graph: Graph<'_> = tree.files.keys().map(|path| (path.as_str(), edges(tree, path))).collect();
    let reachable: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|path| (*path, reachable(&graph, path))).collect();
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for path in graph.keys() {
        let component: Vec<&str> = reachable[path]
            .iter()
            .copied()
            .filter(|other| reachable[other].contains(path) && !done.contains(other))
            .collect();
        done.extend(component.iter().copied());
        if component.len() > 2 {
            let (next, line) = graph[path]
                .iter()
                .find(|(next, _)| component.contains(next))
                .map_or((*path, 1), |(next, line)| (*next, *line));
            let what = format!(
                "imports {next}, which leads back: {} files import each other ({})",
                component.len(),
                component.join(" ")
            );
            found.push(Finding { path: (*path).to_owned(), line, what });
        }
    }
    found
}

fn reachable<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = graph[from].keys().copied().collect();
    while let Some(path) = next.pop() {
        if seen.insert(path) {
            next.extend(graph[path].keys().copied());
        }
    }
    seen
}

fn edges<'a>(tree: &'a Tree, path: &'a str) -> BTreeMap<&'a str, usize> {
    let file = &tree.files[path];
    let ancestors: BTreeSet<&str> = tree.ancestors(path).collect();
    let mut edges = BTreeMap::new();
    if file.test {
        return edges;
    }
    for (at, token) in file.code() {
        let is_path = file.tokens.get(at + 1).is_some_and(|next| next.text == "::");
        let continues = at > 0 && ["::", "."].contains(&file.tokens[at - 1].text.as_str());
        if !is_path || continues {
            continue;
        }
        for segments in paths(&file.tokens, at) {
            let Some(target) = resolve(tree, path, &segments) else { continue };
            if target != path && !ancestors.contains(target) {
                edges.entry(target).or_insert(token.line);
            }
        }
    }
    edges
}

/// The paths that begin at `at`: more than one where braces follow, as in `crate::{a::B, c}`.
fn paths(tokens: &[Token], mut at: usize) -> Vec<Vec<&str>> {
    let mut segments = Vec::new();
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            let end = closing(tokens, at);
            let mut all = Vec::new();
            let mut start = at + 1;
            while start < end {
                for rest in paths(tokens, start) {
                    all.push(segments.iter().copied().chain(rest).collect());
                }
                start = next_of_list(tokens, start, end);
            }
            return all;
        }
        segments.push(token.text.as_str());
        if tokens.get(at + 1).is_none_or(|next| next.text != "::") {
            break;
        }
        at += 2;
    }
    vec![segments]
}

/// The element after the comma that ends the one at `at`.
fn next_of_list(tokens: &[Token], mut at: usize, end: usize) -> usize {
    while at < end {
        match tokens[at].text.as_str() {
            "," => return at + 1,
            "{" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    end
}

/// The file of the innermost module that a path in the file `from` names; nothing for a path out of the crate.
fn resolve<'a>(tree: &'a Tree, from: &'a str, segments: &[&str]) -> Option<&'a str> {
    let child = |file: &str, name: &str| {
        let module = tree.files[file].modules.iter().find(|module| module.name == name)?;
        tree.files.get_key_value(module.path.as_str()).map(|(path, _)| path.as_str())
    };
    let mut segments = segments.iter();
    let mut at = match *segments.next()? {
        "crate" => tree.root(from),
        "self" => from,
        "super" => tree.files[from].parent.as_deref()?,
        name => child(from, name)?,
    };
    for name in segments {
        at = match *name {
            "super" => tree.files[at].parent.as_deref()?,
            name => match child(at, name) {
                Some(next) => next,
                None => break,
            },
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles_of(files: &[(&str, &str)]) -> Vec<Finding> {
        cycles(&Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))))
    }

    #[test]
    fn cycle_of_three_files_is_found() {
        let found = cycles_of(&[
            ("p/src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("p/src/a.rs", "use std::fmt;\nuse crate::{b::{B, D}, x};\n"),
            ("p/src/b.rs", "fn b() { super::c::c() }\n"),
            ("p/src/c.rs", "use super::a::A;\n"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("p/src/a.rs", 2));
    }

    #[test]
    fn children_read_their_parent_and_two_files_each_other() {
        let found = cycles_of(&[
            ("p/src/lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
            ("p/src/a.rs", "mod x;\nmod y;\nuse x::X;\nuse y::Y;\nuse crate::b::B;\n"),
            ("p/src/a/x.rs", "use super::{A, y::Y};\n"),
            ("p/src/a/y.rs", "use super::A;\nuse super::x::X;\n"),
            ("p/src/b.rs", "#[cfg(test)]\nuse crate::a::x::X;\nfn f() { self::g() }\n"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn cycle_through_a_child_of_another_module_is_found() {
        let found = cycles_of(&[
            ("p/src/lib.rs", "mod a;\nmod b;\n"),
            ("p/src/a.rs", "mod x;\nuse x::X;\n"),
            ("p/src/a/x.rs", "use crate::b::B;\n"),
            ("p/src/b.rs", "use crate::a::A;\n"),
        ]);
        assert_eq!(found.len(), 1);
    }
}
