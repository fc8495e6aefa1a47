//! Amounts as Kubernetes writes them back, so that what is applied is what is read.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Bytes in the largest unit that divides them.
pub(super) fn bytes(bytes: u64) -> Quantity {
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let text = units
        .into_iter()
        .find(|(_, shift)| bytes != 0 && bytes.is_multiple_of(1 << shift))
        .map_or_else(
            || bytes.to_string(),
            |(unit, shift)| format!("{}{unit}", bytes >> shift),
        );
    Quantity(text)
}

/// Thousandths of a core; whole cores without the `m`.
pub(super) fn millicores(thousandths: u64) -> Quantity {
    if thousandths.is_multiple_of(1000) {
        Quantity((thousandths / 1000).to_string())
    } else {
        Quantity(format!("{thousandths}m"))
    }
}

/// A number of objects.
pub(super) fn count(number: u64) -> Quantity {
    Quantity(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, millicores};

    #[test]
    fn amounts_are_canonical() {
        let written = [1 << 30, 3 << 29, 512 << 20, 1536, 1000, 0, 2 << 40].map(|amount| bytes(amount).0);
        assert_eq!(written, ["1Gi", "1536Mi", "512Mi", "1536", "1000", "0", "2Ti"]);
        assert_eq!(
            [2000, 1500, 20].map(|amount| millicores(amount).0),
            ["2", "1500m", "20m"]
        );
        assert_eq!(count(17).0, "17");
    }
}
