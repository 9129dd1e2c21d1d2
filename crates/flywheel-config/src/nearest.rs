//! Which key was meant by a misspelt one.

use crate::schema::{Support, env_name, key, keys};

/// Longer names are not searched for: nobody misspells a key of that length.
const LENGTH_MAX: usize = 120;

/// Up to two keys that an unknown one may have meant, the likeliest first. List items are written `[]`.
pub(crate) fn nearest_keys(path: &str) -> Vec<String> {
    let candidates = keys().iter().map(|key| key.path.as_str());
    let candidates = candidates.chain(sections());
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    best(path, candidates, |candidate| {
        let (its_parent, its_name) = candidate.rsplit_once('.').unwrap_or(("", candidate));
        let tolerance = (name.len() / 3).clamp(1, 4);
        let by_name = distance(name, its_name, tolerance);
        let by_parent = if parent == its_parent { Some(0) } else { None };
        match (by_name, by_parent) {
            // A slip of the finger in the last word.
            (Some(slips), Some(_)) => Some(slips * 10),
            // The right word in the wrong section.
            (Some(0), None) => {
                let away = distance(parent, its_parent, LENGTH_MAX).unwrap_or(LENGTH_MAX).min(60);
                let useless = key(candidate).is_none_or(|key| key.support != Support::Supported);
                Some(30 + away + if useless { 60 } else { 0 })
            }
            // Slips in the section's name, or in both.
            _ => distance(path, candidate, (path.len() / 5).clamp(1, 6)).map(|slips| slips * 12),
        }
    })
}

/// Up to two variables that an unknown one may have meant. Both without the prefix.
pub(crate) fn nearest_variables(name: &str) -> Vec<String> {
    let names: Vec<String> =
        keys().iter().filter(|key| !key.path.contains('[')).map(|key| env_name(&key.path)).collect();
    let tolerance = (name.len() / 5).clamp(1, 6);
    best(name, names.iter().map(String::as_str), |candidate| distance(name, candidate, tolerance))
}

/// Names of the sections at the top, which are no keys themselves.
fn sections() -> impl Iterator<Item = &'static str> {
    crate::schema::ROOT.iter().flat_map(|fragment| fragment.iter()).map(|entry| entry.name)
}

fn best<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
    cost: impl Fn(&str) -> Option<usize>,
) -> Vec<String> {
    if name.is_empty() || name.len() > LENGTH_MAX {
        return Vec::new();
    }
    let mut ranked: Vec<(usize, &str)> =
        candidates.filter_map(|candidate| Some((cost(candidate)?, candidate))).collect();
    ranked.sort_unstable();
    ranked.dedup();
    let least = ranked.first().map_or(0, |(cost, _)| *cost);
    let close = ranked.iter().take(2).filter(|(cost, _)| *cost <= least + 6);
    close.map(|(_, candidate)| (*candidate).to_owned()).collect()
}

/// Insertions, removals, replacements and swaps of neighbours that lead from one to the other, up to `most`.
fn distance(from: &str, to: &str, most: usize) -> Option<usize> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if from.len().abs_diff(to.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|cost| *cost <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven() {
        let table = [
            ("client.chanel_limit", "client.channel_limit"),
            ("client.channel_limti", "client.channel_limit"),
            ("clinet.channel_limit", "client.channel_limit"),
            ("http_server.prot", "http_server.port"),
            ("engine.redis.adress", "engine.redis.address"),
            ("channel.namespaces[].presense", "channel.namespaces[].presence"),
            ("chanel", "channel"),
            ("client.toke.hmac_secret_key", "client.token.hmac_secret_key"),
            ("client.subscription_token.enable", "client.subscription_token.enabled"),
        ];
        for (written, meant) in table {
            assert_eq!(nearest_keys(written).first().map(String::as_str), Some(meant), "{written}");
        }
    }

    #[test]
    fn the_right_word_in_the_wrong_place_is_found() {
        assert_eq!(nearest_keys("channel.max_lenght"), ["channel.max_length"]);
        assert_eq!(nearest_keys("client.max_length"), ["channel.max_length"]);
        assert_eq!(nearest_keys("http_server.expired_close_delay"), ["client.expired_close_delay"]);
        assert_eq!(
            nearest_keys("hmac_secret_key").first().map(String::as_str),
            Some("client.token.hmac_secret_key")
        );
    }

    #[test]
    fn nonsense_has_no_neighbour() {
        assert!(nearest_keys("xyzzy").is_empty());
        assert!(nearest_keys("").is_empty());
        assert!(nearest_keys(&"client.".repeat(50)).is_empty());
    }

    #[test]
    fn variables_have_neighbours_too() {
        assert_eq!(nearest_variables("CLIENT_CHANEL_LIMIT"), ["CLIENT_CHANNEL_LIMIT"]);
        assert!(nearest_variables("HOME").is_empty());
    }

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance("port", "prot", 3), Some(1));
        assert_eq!(distance("", "abc", 3), Some(3));
        assert_eq!(distance("abcdef", "uvwxyz", 3), None);
    }
}
