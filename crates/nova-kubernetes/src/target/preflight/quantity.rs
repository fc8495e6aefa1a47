//! Kubernetes' quantities, such as `250m` and `512Mi`, as numbers.

/// In thousandths, rounded up; `None` for what is no quantity. 128 bits hold a thousand times the largest memory.
pub(super) fn thousandths(text: &str) -> Option<u128> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // In billionths, so that every decimal suffix comes out exactly.
    let fraction: String = format!("{fraction:0<9}").chars().take(9).collect();
    let billionths = whole.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)?;
    let (up, down): (u128, u128) = match suffix {
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "" => (1, 1),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        exponent => {
            let power: u32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            (10_u128.checked_pow(power)?, 1)
        }
    };
    Some(billionths.checked_mul(up)?.div_ceil(down * 1_000_000))
}

/// Whole units, rounded up.
pub(in crate::target) fn units(text: &str) -> Option<u64> {
    u64::try_from(thousandths(text)?.div_ceil(1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::{thousandths, units};

    #[test]
    fn quantities_are_numbers() {
        for (text, wanted) in [
            ("250m", Some(250)),
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("1.5", Some(1500)),
            ("1500000n", Some(2)),
            ("x", None),
            ("1x", None),
            ("", Some(0)),
        ] {
            assert_eq!(thousandths(text), wanted, "{text}");
        }
        assert_eq!(units("512Mi"), Some(512 << 20));
        assert_eq!(units("1Gi"), Some(1 << 30));
        assert_eq!(units("129e6"), Some(129_000_000));
        assert_eq!(units("8123456Ki"), Some(8_123_456 << 10));
        assert_eq!(units("64M"), Some(64_000_000));
    }
}
