//! Finding a command by some of its letters.

/// How well `query` fits `text`: `None` if its letters do not occur in this order, else larger is better. Letters
/// in a row, at the start of words and near the front count most. An empty query fits everything alike.
pub fn score(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut score = 0;
    let mut from = 0;
    let mut previous = None;
    for letter in query.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase) {
        let places = (from..text.len()).filter(|&at| text[at] == letter);
        let (gain, at) =
            places.map(|at| (gain(&text, at, previous), at)).max_by_key(|(gain, at)| (*gain, -(*at as i64)))?;
        score += gain;
        previous = Some(at);
        from = at + 1;
    }
    Some(score - text.len() as i32 / 8)
}

fn gain(text: &[char], at: usize, previous: Option<usize>) -> i32 {
    let follows = previous.is_some_and(|previous| previous + 1 == at);
    let starts_word = at == 0 || !text[at - 1].is_alphanumeric();
    let late = (at / 8) as i32;
    match (follows, starts_word) {
        (true, _) => 16 - late,
        (false, true) => 12 - late,
        (false, false) => 2 - late,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(query: &str, texts: &[&'a str]) -> Option<&'a str> {
        let scored = texts.iter().filter_map(|text| Some((score(query, text)?, *text)));
        scored.max_by_key(|(score, _)| *score).map(|(_, text)| text)
    }

    #[test]
    fn the_wanted_command_comes_first() {
        let texts = ["Random seed", "Reset noise", "Reset style mix", "Redo", "Save image\u{2026}", "Snap to seed"];
        assert_eq!(best("rand", &texts), Some("Random seed"));
        assert_eq!(best("rn", &texts), Some("Reset noise"));
        assert_eq!(best("style", &texts), Some("Reset style mix"));
        assert_eq!(best("SI", &texts), Some("Save image\u{2026}"));
        assert_eq!(best("sts", &texts), Some("Snap to seed"));
    }

    #[test]
    fn letters_out_of_order_do_not_fit() {
        assert_eq!(score("dnar", "Random seed"), None);
        assert_eq!(score("x", "Redo"), None);
        assert!(score("", "Redo").is_some());
    }
}
