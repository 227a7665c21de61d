//! An immutable hash table: from a key's hash to the places where the key may be.
//!
//! Keys are in the order of their buckets, so that a table is where each bucket ends and a part of each key's hash. It has no
//! empty places, and whatever its bytes say, a look-up reads one stretch of them.

const SECRET: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER_SECRET: u64 = 0xd6e8_feb8_6659_fd93;

/// The hash of a key. Images hold parts of it, so it never changes: after the folded multiplication of wyhash.
pub(crate) fn hash_of(key: &[u8]) -> u64 {
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let seed = SECRET ^ (key.len() as u64).wrapping_mul(OTHER_SECRET);
    let state = words.iter().chain([&last]).fold(seed, |state, &word| {
        folded(state ^ u64::from_le_bytes(word), SECRET)
    });
    folded(state, OTHER_SECRET)
}

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// How many buckets so many keys have: a power of two.
pub(crate) const fn buckets_for(keys: usize) -> usize {
    (keys / 2).next_power_of_two()
}

/// The order of keys in a table: by bucket, then by tag.
pub(crate) fn order_of(hash: u64, buckets: usize) -> (u32, u32) {
    (bucket_of(hash, buckets) as u32, tag_of(hash))
}

fn bucket_of(hash: u64, buckets: usize) -> usize {
    (hash >> 32) as usize & (buckets - 1)
}

/// What the table keeps of a hash.
pub(crate) fn tag_of(hash: u64) -> u32 {
    hash as u32
}

/// Where each bucket of ordered hashes ends.
pub(crate) fn ends_of(hashes: impl Iterator<Item = u64>, buckets: usize) -> Vec<u32> {
    let mut ends = vec![0; buckets];
    for hash in hashes {
        ends[bucket_of(hash, buckets)] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    ends
}

/// A table where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory<'a> {
    pub(crate) ends: &'a [u32],
    pub(crate) tags: &'a [u32],
}

impl<'a> Directory<'a> {
    /// The places whose key may have this hash.
    pub(crate) fn find(self, hash: u64) -> impl Iterator<Item = usize> + 'a {
        let bucket = bucket_of(hash, self.ends.len());
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        let end = self.ends[bucket] as usize;
        let tags = self.tags.get(start..end).unwrap_or_default();
        let tag = tag_of(hash);
        let places = tags.iter().enumerate();
        places
            .filter(move |&(_, &other)| other == tag)
            .map(move |(place, _)| start + place)
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, buckets_for, ends_of, hash_of, order_of, tag_of};

    #[test]
    fn every_key_is_found_and_few_others() {
        for count in [0, 1, 2, 3, 10, 1_000] {
            let buckets = buckets_for(count);
            let mut hashes: Vec<u64> = (0..count)
                .map(|key| hash_of(format!("key{key}").as_bytes()))
                .collect();
            hashes.sort_by_key(|&hash| order_of(hash, buckets));
            let ends = ends_of(hashes.iter().copied(), buckets);
            let tags: Vec<u32> = hashes.iter().map(|&hash| tag_of(hash)).collect();
            let directory = Directory {
                ends: &ends,
                tags: &tags,
            };
            for (place, &hash) in hashes.iter().enumerate() {
                assert_eq!(directory.find(hash).collect::<Vec<_>>(), [place]);
            }
            assert_eq!(directory.find(hash_of(b"other")).count(), 0);
        }
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash_of(b""), HASH_OF_NOTHING);
        assert_eq!(hash_of(b"a tulip in bloom"), HASH_OF_A_TEXT);
    }

    const HASH_OF_NOTHING: u64 = 12_541_808_378_758_357_365;
    const HASH_OF_A_TEXT: u64 = 9_850_114_602_851_770_588;
}
