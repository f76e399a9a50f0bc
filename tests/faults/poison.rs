//! Records that nobody can read, between good ones.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, MERCHANT, MERCHANT_TAX, seed};
use crate::relay::{Passing, Relay, Twist};

/// How many kinds of poison there are.
const KINDS: usize = 9;

/// After every so many merchants comes something bad beside them, each time of another kind.
struct Poisoned {
    random: StdRng,
    every: u32,
    next: usize,
    value_of_a_variant: Option<Vec<u8>>,
}

impl Poisoned {
    /// Poison under a key that nobody else has, or under none.
    fn poison(&self, good: &Passing, kind: usize) -> Passing {
        let mut bad = good.clone();
        // the last byte of the key's datum is the end of a number: another number, which no merchant has
        let key = bad.key.as_mut().unwrap();
        let last = key.len() - 1;
        key[last] ^= 0x40;
        let mut value = good.value.clone().unwrap();
        match kind {
            // no schema id at all
            0 => value = b"not avro".to_vec(),
            // wrong magic byte
            1 => value[0] = 7,
            // a schema that nobody registered
            2 => value[1..5].copy_from_slice(&99_999_999_u32.to_be_bytes()),
            // cut in the middle
            3 => value.truncate(value.len() / 2),
            // bytes after the end
            4 => value.extend_from_slice(b"and more"),
            // a value of another table
            5 => value = self.value_of_a_variant.clone().unwrap_or_else(|| vec![0; 5]),
            // three megabytes of nothing: the mock cluster keeps five of a partition
            6 => value = vec![0xff; 3_000_000],
            7 => bad.key = None,
            // a key that is no key
            _ => bad.key = Some(vec![0, 1]),
        }
        bad.value = Some(value);
        bad
    }
}

impl Twist for Poisoned {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        if record.topic == crate::day::VARIANT && record.value.is_some() {
            self.value_of_a_variant.clone_from(&record.value);
        }
        if record.topic == MERCHANT && record.value.is_some() && self.next < KINDS {
            let is_time = self.random.random_range(0..self.every) == 0 && self.value_of_a_variant.is_some();
            if is_time {
                out.push(self.poison(&record, self.next));
                self.next += 1;
            }
        }
        out.push(record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_parked_with_its_bytes_and_its_neighbours_are_not() {
    let random = StdRng::seed_from_u64(seed());
    let poisoned = Poisoned { random, every: 12, next: 0, value_of_a_variant: None };
    let relay = Relay::start(4, poisoned).await;
    let mut day = Day::behind(8, "poison of nine kinds", &relay).await;
    let worker = day.worker(&ALL);
    let load = day.load();
    load.more(day.events / 2).await;
    day.recover().await;
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    day.read_to_the_end(&ALL).await;
    // (a row of another day, made before this group began, may lack a large value here: it is refused, and is no poison)
    let causes: Vec<(String, i64)> = sqlx::query_as(
        "select cause, count(*) from parked_change where consumer = $1 and cause not in ('refused', 'follows')
          group by cause order by cause",
    )
    .bind(MERCHANT_TAX)
    .fetch_all(&day.backbone.pool)
    .await
    .unwrap();
    println!("merchant-tax parked {causes:?}");
    let kinds = i64::try_from(KINDS).unwrap();
    assert_eq!(causes.iter().map(|(_, count)| count).sum::<i64>(), kinds, "{causes:?}");
    let bytes: i64 =
        sqlx::query_scalar("select max(length(record_value))::bigint from parked_change where consumer = $1")
            .bind(MERCHANT_TAX)
            .fetch_one(&day.backbone.pool)
            .await
            .unwrap();
    assert_eq!(bytes, 3_000_000, "the bytes are kept");
    day.expect_parked(kinds * i64::try_from(ALL.len()).unwrap());
    day.end(&truth).await;
    worker.kill().await;
}
