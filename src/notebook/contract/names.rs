//! Which known name an unknown one may be meant for.

/// Longer names are no slips of the pen.
const LONGEST: usize = 64;

/// The known name that is nearest, if it is near: a third of its letters may differ.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(LONGEST + 1).collect();
    if name.len() > LONGEST {
        return None;
    }
    let distances = known.filter_map(|known| {
        let other: Vec<char> = known.to_lowercase().chars().take(LONGEST + 1).collect();
        let most = (name.len().max(other.len()) / 3).max(1);
        let distance = distance(&name, &other);
        (other.len() <= LONGEST && distance <= most).then_some((distance, known))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: [Vec<usize>; 3] = [vec![], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = least;
        }
        rows.rotate_left(1);
        rows[2] = vec![0; b.len() + 1];
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_meant_if_any_is_near() {
        let known = ["region", "year", "n", "top_products"];
        for (name, meant) in [
            ("reigon", Some("region")),
            ("Region", Some("region")),
            ("regions", Some("region")),
            ("yaer", Some("year")),
            ("top_product", Some("top_products")),
            ("topproducts", Some("top_products")),
            ("country", None),
            ("", Some("n")),
            ("xyz", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), meant, "{name}");
        }
        assert_eq!(nearest(&"r".repeat(1_000_000), known.into_iter()), None);
    }
}
