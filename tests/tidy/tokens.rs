//! PURE. Splits Rust source into tokens, so that a rule never matches the text of a comment or of a string. It is no
//! parser: it knows literals, comments, identifiers and punctuation, and marks what is compiled for tests only.

use std::ops::Range;

/// One token of code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// An identifier, a lifetime, a punctuation mark (`::`, `->` and `=>` are one), or `""` for any literal.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// It belongs to an item under `#[cfg(test)]`.
    pub(crate) test: bool,
}

/// The tokens of a source file.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, line: 1, tokens: Vec::new() };
    while let Some(next) = lexer.rest().chars().next() {
        lexer.step(next);
    }
    let mut tokens = lexer.tokens;
    mark_tests(&mut tokens);
    tokens
}

/// Whether `pattern`, its tokens separated by spaces, begins at `at`.
pub(crate) fn begins(tokens: &[Token], at: usize, pattern: &str) -> bool {
    if tokens.get(at).is_none_or(|first| !pattern.starts_with(first.text.as_str())) {
        return false;
    }
    let mut rest = tokens[at..].iter();
    pattern.split(' ').all(|part| rest.next().is_some_and(|token| token.text == part))
}

/// The index of the bracket that closes the one at `open`; the end of the tokens without one.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self, next: char) {
        let rest = self.rest();
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if next.is_whitespace() {
            self.skip(next.len_utf8());
        } else if let Some(length) = string(rest) {
            self.push("", length);
        } else if next == '\'' {
            match character(rest) {
                Some(length) => self.push("", length),
                None => self.push_first(1 + word(&rest[1..])),
            }
        } else if next.is_ascii_digit() {
            self.push("", number(rest));
        } else if is_word(next) {
            self.push_first(word(rest));
        } else if ["::", "->", "=>"].iter().any(|mark| rest.starts_with(mark)) {
            self.push_first(2);
        } else {
            self.push_first(next.len_utf8());
        }
    }

    fn push_first(&mut self, length: usize) {
        self.push(&self.rest()[..length], length);
    }

    fn push(&mut self, text: &str, length: usize) {
        self.tokens.push(Token { text: text.to_owned(), line: self.line, test: false });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest()[..length].matches('\n').count();
        self.at += length;
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word(text: &str) -> usize {
    text.find(|letter: char| !is_word(letter)).unwrap_or(text.len())
}

/// Digits with their suffix, and a fraction, but not the dots of a range.
fn number(text: &str) -> usize {
    let whole = word(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|digit: char| digit.is_ascii_digit()) => {
            whole + 1 + word(fraction)
        }
        _ => whole,
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string literal at the beginning of `text`, with its prefix.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix).map(|rest| rest.trim_start_matches('#'));
        rest.is_some_and(|rest| rest.starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if prefix.ends_with('r') {
        let begin = prefix.len() + hashes + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()));
    }
    if hashes > 0 {
        return None;
    }
    let begin = prefix.len() + 1;
    let mut escaped = false;
    for (at, letter) in text[begin..].char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Some(begin + at + 1),
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// The length of the character literal at the beginning of `text`; nothing where it is a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let skipped = escape.chars().next()?.len_utf8();
        return Some(2 + skipped + escape[skipped..].find('\'')? + 1);
    }
    let letter = inner.chars().next()?;
    inner[letter.len_utf8()..].starts_with('\'').then_some(2 + letter.len_utf8())
}

/// Marks the items under `#[cfg(test)]` and under anything else that needs `test`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let inner = begins(tokens, at, "# ! [ cfg (");
        if !inner && !begins(tokens, at, "# [ cfg (") {
            at += 1;
            continue;
        }
        let open = if inner { at + 2 } else { at + 1 };
        let end = closing(tokens, open);
        let attribute = &tokens[open..end];
        let needs_test = attribute.iter().any(|token| token.text == "test")
            && !attribute.iter().any(|token| token.text == "not");
        if !needs_test {
            at = end;
            continue;
        }
        let item = if inner { at..tokens.len() } else { at..item_end(tokens, end + 1) };
        for token in &mut tokens[item.clone()] {
            token.test = true;
        }
        at = item.end;
    }
}

/// The end of the item, field or statement that begins at `at`.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while begins(tokens, at, "# [") {
        at = closing(tokens, at + 1) + 1;
    }
    let is_item = tokens[at..].iter().take(6).any(|token| {
        ["mod", "fn", "use", "struct", "enum", "impl", "const", "static", "type", "trait", "macro_rules"]
            .contains(&token.text.as_str())
    });
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            "}" | ")" | "]" => return at,
            "{" => return closing(tokens, at) + 1,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The lines of each run of tokens that are compiled for tests only.
pub(crate) fn test_lines(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut before = false;
    for token in tokens {
        if token.test {
            match ranges.last_mut() {
                Some(last) if before => last.end = token.line + 1,
                _ => ranges.push(token.line..token.line + 1),
            }
        }
        before = token.test;
    }
    ranges
}

#[test]
fn comments_strings_and_lifetimes_are_no_identifiers() {
    let text = r##"
        //! Mutex
        fn f<'a>(x: &'a str) -> char { /* Mutex /* Mutex */ */ g("Mutex \" Mutex", r#"Mutex"#, b"Mutex", 'M', '\'') }
        // Mutex
    "##;
    let tokens = tokens(text);
    assert!(tokens.iter().all(|token| token.text != "Mutex"), "{tokens:?}");
    assert_eq!(tokens.iter().filter(|token| token.text == "'a").count(), 2);
    assert_eq!(tokens.last().map(|token| (token.text.as_str(), token.line)), Some(("}", 3)));
}

#[test]
fn what_is_compiled_for_tests_is_marked_and_nothing_after_it() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n#[cfg(test)]\nuse x::{y, z};\n#[cfg(not(test))]\nfn c() {}\n\
                struct S {\n #[cfg(test)]\n d: T<U>,\n e: T,\n}\n";
    let tokens = tokens(text);
    let marked = |name: &str| tokens.iter().any(|token| token.text == name && token.test);
    assert!(marked("b") && marked("y") && marked("z") && marked("d"));
    assert!(!marked("a") && !marked("c") && !marked("e"));
    assert_eq!(test_lines(&tokens), [2..8, 11..13]);
}
