//! PURE. Invisible characters and look-alikes of markup, with which a text can say one thing to people and another to a
//! model. Source: Unicode, general category Cf and the variation selectors.

/// Whether `char` is invisible: joiners, direction marks, soft hyphens, tags, variation selectors.
pub(super) fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

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
    fn what_learners_write_is_visible() {
        assert!(!"It's a café — “déjà vu”, 고양이! 猫 🙂 \n\t".chars().any(is_invisible));
        assert!(!"It's a café (well…)".chars().any(looks_like_markup));
    }

    #[test]
    fn tags_directions_and_joiners_are_not() {
        assert!(
            "\u{200b}\u{202e}\u{2066}\u{feff}\u{e0041}\u{e007f}\u{ad}\u{fe0f}\u{e0100}"
                .chars()
                .all(is_invisible)
        );
        assert!("＜＞﹤﹥‹›〈〉＆".chars().all(looks_like_markup));
    }
}
