//! The documents against the code: guarantees and limits name tests that exist, limits have the values of their constants,
//! README and ARCHITECTURE keep their size, and links and paths lead somewhere. The files are read as text.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Sections of `tests/README.md` after the guarantees.
const LAST_SECTION: &str = "\n## Running the tests";

/// The folders and files that a path in a document may begin with.
const TOP: [&str; 6] = ["events/", "infra/", "ingress/", "schemas/", "tests/", "workers/"];

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let text = read("tests/README.md");
    let (guarantees, _) = text.split_once(LAST_SECTION).expect("the section on running the tests");
    let rows: Vec<Vec<&str>> = rows(guarantees).filter(|cells| cells.len() == 2).collect();
    assert!(rows.len() > 80, "{} rows of guarantees were found", rows.len());
    check_tests(rows.iter().map(|cells| cells[1]));
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let text = read("SECURITY.md");
    let rows: Vec<Vec<&str>> = rows(&text).filter(|cells| cells.len() == 4).collect();
    assert!(rows.len() > 15, "{} rows of the threat model were found", rows.len());
    check_tests(rows.iter().map(|cells| cells[3]));
}

#[test]
fn every_limit_is_that_of_the_code_and_names_its_tests() {
    let text = read("ingress/LIMITS.md");
    let rows: Vec<Vec<&str>> = rows(&text).filter(|cells| cells.len() == 5).collect();
    assert!(rows.len() > 50, "{} rows of limits were found", rows.len());
    let mut wrong = Vec::new();
    for cells in &rows {
        let file = spans(cells[1]).next().unwrap_or_default();
        let path = [format!("ingress/src/{file}"), file.to_owned()];
        let source = path.iter().find_map(|path| fs::read_to_string(root().join(path)).ok());
        let (source, names) = (source.unwrap_or_default(), spans(cells[2]).count());
        let right = cells[2].split(", ").filter(|value| is_value_of(value, &source)).count();
        if names == 0 || right != names {
            wrong.push(format!("{}: {file} does not say {}", cells[0], cells[2]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_tests(rows.iter().map(|cells| cells[4]));
    let prose: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('|'))
        .filter(|line| spans(line).any(|span| span.matches('_').count() > 3))
        .collect();
    check_tests(prose.into_iter());
}

#[test]
fn every_problem_code_is_in_the_api_guide() {
    let (guide, codes) = (read("schemas/api/README.md"), read("ingress/src/api/problem/codes.rs"));
    let (_, codes) = codes.split_once("\ncodes! {").expect("the list of codes");
    let (codes, _) = codes.split_once("\n}\n").expect("the end of the list");
    let codes: Vec<Vec<&str>> = codes.lines().map(|line| line.split('"').collect()).collect();
    let codes = codes.iter().filter(|line| line.len() == 5).map(|line| (line[1], line[3]));
    let codes: BTreeSet<(String, &str)> =
        codes.map(|(name, meaning)| (format!("`{name}`"), meaning)).collect();
    let (_, table) = guide.split_once("\n## Problem codes\n").expect("the table of codes");
    let rows: BTreeSet<(String, &str)> =
        rows(table).filter(|cells| cells.len() == 3).map(|cells| (cells[0].to_owned(), cells[2])).collect();
    assert!(codes.len() > 40, "{} codes were found", codes.len());
    assert_eq!(rows, codes);
}

#[test]
fn readme_and_architecture_keep_their_size() {
    for (document, bytes_max) in [("README.md", 8 * 1024), ("ARCHITECTURE.md", 20 * 1024)] {
        let bytes = read(document).len();
        assert!(bytes <= bytes_max, "{document} has {bytes} bytes, at most {bytes_max} are allowed");
    }
}

#[test]
fn every_link_and_path_of_the_documents_exists() {
    let mut documents = Vec::new();
    collect(&root(), "md", &mut documents);
    assert!(documents.len() >= 12, "{} documents were found", documents.len());
    let mut wrong = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).expect("a document is readable");
        let folder = document.parent().expect("a document is in a folder");
        for target in links(&text).filter(|target| !target.contains("://")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { document.clone() } else { folder.join(path) };
            if !file.exists() || !(heading.is_empty() || has_heading(&file, heading)) {
                wrong.push(format!("{}: the link {target}", document.display()));
            }
        }
        for span in prose(&text).flat_map(spans).filter(|span| is_path(span)) {
            if !root().join(span).exists() {
                wrong.push(format!("{}: the path {span}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "lead nowhere:\n{}", wrong.join("\n"));
}

/// Checks that each cell names tests, and that they exist.
fn check_tests<'a>(cells: impl Iterator<Item = &'a str>) {
    let cells: Vec<&str> = cells.collect();
    let without: Vec<&&str> = cells.iter().filter(|cell| spans(cell).next().is_none()).collect();
    assert!(without.is_empty(), "rows without a test: {without:?}");
    let mut sources = Vec::new();
    for package in ["events", "infra", "ingress", "tests", "workers"] {
        collect(&root().join(package), "rs", &mut sources);
    }
    let sources: Vec<String> = sources.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let named: BTreeSet<&str> =
        cells.iter().flat_map(|cell| spans(cell)).filter(|name| is_name(name)).collect();
    let missing: Vec<&&str> =
        named.iter().filter(|name| !sources.iter().any(|source| has_test(source, name))).collect();
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

/// Whether `source` has the test `name`: a function below an attribute or in a macro that makes tests.
fn has_test(source: &str, name: &str) -> bool {
    source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let before = source[..at].trim_end().trim_end_matches("async").trim_end();
        before.ends_with(']') && before.rfind("#[").is_some_and(|from| before[from..].contains("test"))
    })
}

/// The cells of each row of a table, without its header.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.starts_with("| ");
    (0..lines.len())
        .filter(move |&at| is_row(lines[at]) && at > 0 && lines[at - 1].starts_with('|'))
        .map(|at| text.lines().nth(at).expect("the line was found").trim_matches('|').split(" | "))
        .map(|cells| cells.map(str::trim).collect())
        .collect::<Vec<_>>()
        .into_iter()
}

/// Whether "`NAME` 64 KiB" is what `source` says of the constant, or of the field of one, or of the variable.
fn is_value_of(value: &str, source: &str) -> bool {
    let Some(name) = spans(value).next() else { return false };
    let mut words = value.rsplit('`').next().unwrap_or_default().split_whitespace();
    let Some(number) = words.next().and_then(|number| number.parse::<u64>().ok()) else { return false };
    let unit = words.next().unwrap_or_default();
    let Some(of_code) = constant(name, source) else { return false };
    let (stated, of_code) = match unit {
        "B" => (number, of_code),
        "KiB" => (number * 1024, of_code),
        "MiB" => (number * 1024 * 1024, of_code),
        "ms" => (number, millis(name, of_code)),
        "s" => (number * 1_000, millis(name, of_code)),
        "min" => (number * 60_000, millis(name, of_code)),
        "h" => (number * 3_600_000, millis(name, of_code)),
        "d" => (number * 86_400_000, millis(name, of_code)),
        _ => (number, of_code),
    };
    stated == of_code
}

/// A time of the code in milliseconds: its name says when it is a plain number of seconds.
fn millis(name: &str, value: u64) -> u64 {
    if name.contains("SECONDS") { value * 1_000 } else { value }
}

/// The value of a constant, of a field of one (`CODES.max`), or the default of a variable. Times are in milliseconds.
fn constant(name: &str, source: &str) -> Option<u64> {
    if name.starts_with("NOVA_") {
        let (_, after) = source.split_once(&format!("env = \"{name}\""))?;
        let (_, default) = after.split(")]").next()?.split_once("default_value_t = ")?;
        return evaluate(default.split(',').next()?, source);
    }
    let (constant, field) = name.split_once('.').unwrap_or((name, ""));
    let (_, declared) = source.split_once(&format!("const {constant}: "))?;
    let (_, expression) = declared.split_once('=')?;
    let expression = expression.split(';').next()?;
    if field.is_empty() {
        return evaluate(expression, source);
    }
    let (_, value) = expression.split_once(&format!("{field}: "))?;
    evaluate(value.split([',', '}']).next()?, source)
}

/// A product of numbers, constants and durations.
fn evaluate(expression: &str, source: &str) -> Option<u64> {
    let expression = expression.trim();
    let scaled = |text: &str, scale: u64| Some(evaluate(text.strip_suffix(')')?, source)? * scale);
    if let Some(seconds) = expression.strip_prefix("Duration::from_secs(") {
        return scaled(seconds, 1_000);
    }
    if let Some(millis) = expression.strip_prefix("Duration::from_millis(") {
        return scaled(millis, 1);
    }
    expression.split(" * ").try_fold(1, |product, factor| {
        let number = factor.trim().replace('_', "").parse().ok();
        Some(product * number.or_else(|| imported(factor.trim(), source))?)
    })
}

/// A constant of the same file, or of the one file of the package that declares it.
fn imported(name: &str, source: &str) -> Option<u64> {
    let upper = |c: char| c.is_ascii_uppercase() || c == '_';
    if !name.chars().all(upper) {
        return None;
    }
    constant(name, source).or_else(|| {
        let mut files = Vec::new();
        for package in ["events/src", "ingress/src/live"] {
            collect(&root().join(package), "rs", &mut files);
        }
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).find_map(|file| constant(name, &file))
    })
}

/// The code spans of a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of the links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn is_path(span: &str) -> bool {
    TOP.iter().any(|top| span.starts_with(top)) && !span.contains([' ', '*', '{', '<', '…', ':'])
}

fn is_name(span: &str) -> bool {
    span.contains('_') && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether a document has the heading that an anchor names.
fn has_heading(file: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let anchors = prose(&text).filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.into_iter().any(|heading| heading == anchor)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).expect("the document is readable")
}

/// The files with this extension below `folder`, without what is built, installed or hidden.
fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project is readable").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name.to_string_lossy().starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !skipped {
            collect(&path, extension, into);
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}
