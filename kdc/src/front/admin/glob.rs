//! Patterns of names, as a shell has them.

/// Whether `text` matches `pattern`: `*` is anything, `?` any one character, `[a-z]` one of these, `[!a-z]` none of
/// these, and a backslash takes the next character as it is. A bracket that is not closed stands for itself.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut pattern, mut text) = (pattern.as_slice(), text.as_slice());
    // Where to go on when the last `*` has to take one character more. An earlier one never needs to.
    let mut retry: Option<(&[char], &[char])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => return true,
            (Some(('*', rest)), _) => {
                pattern = rest;
                retry = Some((rest, text));
                continue;
            }
            (Some(_), Some((found, text_rest))) => {
                if let Some(pattern_rest) = one(pattern, *found) {
                    (pattern, text) = (pattern_rest, text_rest);
                    continue;
                }
            }
            _ => {}
        }
        match retry {
            Some((after_star, [_, shorter @ ..])) => {
                retry = Some((after_star, shorter));
                (pattern, text) = (after_star, shorter);
            }
            _ => return false,
        }
    }
}

// What is left of the pattern when its first item takes `found`.
fn one(pattern: &[char], found: char) -> Option<&[char]> {
    match pattern {
        ['?', rest @ ..] => Some(rest),
        ['\\', literal, rest @ ..] => (*literal == found).then_some(rest),
        ['[', rest @ ..] => match class(rest, found) {
            Some((fits, rest)) => fits.then_some(rest),
            None => (found == '[').then_some(rest),
        },
        [literal, rest @ ..] => (*literal == found).then_some(rest),
        [] => None,
    }
}

// Whether a bracket's class has `found`, and what follows the bracket; `None` when it is not closed.
fn class(after_bracket: &[char], found: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match after_bracket {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut fits = false;
    let mut first = true;
    loop {
        rest = match rest {
            [']', rest @ ..] if !first => return Some((fits != negated, rest)),
            [low, '-', high, rest @ ..] if *high != ']' => {
                fits |= (*low..=*high).contains(&found);
                rest
            }
            [single, rest @ ..] => {
                fits |= *single == found;
                rest
            }
            [] => return None,
        };
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_a_shells_do() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("alice", "alice", true),
            ("alice", "alicE", false),
            ("*", "", true),
            ("*", "host/www", true),
            ("host/*", "host/www.example.com", true),
            ("host/*", "HTTP/www", false),
            ("*/www*", "host/www.example.com", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("?lice", "žlice", true),
            ("?lice", "lice", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[ab", "[ab", true),
            ("a[", "a[", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"a\@b", "a@b", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[*?\\[\\]a!\\\\-]{0,24}", text in "[ab\\[\\]]{0,40}") {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_text_matches_itself_with_anything_around(text in "[a-z/.@]{0,20}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
            let pattern = format!("*{text}*");
            let whole = format!("{before}{text}{after}");
            prop_assert!(matches(&pattern, &whole));
        }
    }
}
