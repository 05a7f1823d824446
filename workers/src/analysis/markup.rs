//! PURE. Look-alikes of markup, with which a text can say one thing to people and another to a model.

/// Whether `char` is or looks like `<`, `>` or `&`.
pub(super) fn looks_like_markup(char: char) -> bool {
    matches!(
        char,
        '<' | '>'
            | '&'
            | '\u{2039}'
            | '\u{203a}'
            | '\u{2329}'
            | '\u{232a}'
            | '\u{3008}'
            | '\u{3009}'
            | '\u{fe64}'
            | '\u{fe65}'
            | '\u{fe60}'
            | '\u{ff06}'
            | '\u{ff1c}'
            | '\u{ff1e}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_known_with_its_look_alikes_and_what_learners_write_is_none() {
        assert!(!"It's a café (well…)".chars().any(looks_like_markup));
        assert!("＜＞﹤﹥‹›〈〉＆".chars().all(looks_like_markup));
    }
}
