//! "Did you mean": the known name that is closest to a mistyped one.

/// The closest of the known names, if one is close enough to have been meant.
#[must_use]
pub fn closest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let same = |c: char| if c == '-' { '_' } else { c.to_ascii_lowercase() };
    let wrong: String = wrong.chars().take(100).map(same).collect();
    let allowed = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&wrong, &name.chars().map(same).collect::<String>()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["members", "max_connections", "ttl"];
        assert_eq!(closest("member", known), Some("members"));
        assert_eq!(closest("max-conections", known), Some("max_connections"));
        assert_eq!(closest("MEMBERS", known), Some("members"));
        assert_eq!(closest("lttl", known), Some("ttl"));
        assert_eq!(closest("weather", known), None);
        assert_eq!(closest("", []), None);
    }
}
