//! The records that are written and read: todos with random ids.

use dkdc_state::Record;
use dkdc_todo::Todo;

/// A todo in a table without indexes.
#[derive(Record, Clone, Debug, PartialEq, Eq)]
#[record(table = "plain")]
pub(crate) struct Plain {
    #[record(id)]
    pub(crate) id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) priority: i64,
    pub(crate) status: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) labels: Option<Vec<String>>,
}

impl From<Plain> for Todo {
    fn from(plain: Plain) -> Todo {
        Todo {
            id: plain.id,
            user_id: plain.user_id,
            subject: plain.subject,
            body: plain.body,
            priority: plain.priority,
            status: plain.status,
            description: plain.description,
            labels: plain.labels,
        }
    }
}

/// The same record for a peer: what is JSON in the table is text already.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) priority: i64,
    pub(crate) status: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) labels: Option<String>,
}

impl From<Plain> for Text {
    fn from(plain: Plain) -> Text {
        let labels = |labels: Vec<String>| serde_json::Value::from(labels).to_string();
        Text {
            id: plain.id,
            user_id: plain.user_id,
            subject: plain.subject,
            body: plain.body,
            priority: plain.priority,
            status: plain.status,
            description: plain.description,
            labels: plain.labels.map(labels),
        }
    }
}

/// Records without end, the same for every feed with the same seed.
pub(crate) struct Feed {
    random: Random,
}

const WORDS: [&str; 16] = [
    "write", "read", "call", "the", "letter", "to", "school", "and", "buy", "milk", "for",
    "report", "check", "about", "homework", "tomorrow",
];

impl Feed {
    pub(crate) fn new(seed: u64) -> Feed {
        Feed {
            random: Random(seed),
        }
    }

    /// The next records, with new ids.
    pub(crate) fn take<T: From<Plain>>(&mut self, count: usize) -> Vec<T> {
        (0..count).map(|_| self.next(None).into()).collect()
    }

    /// New contents for some of these ids.
    pub(crate) fn again<T: From<Plain>>(&mut self, ids: &[String], count: usize) -> Vec<T> {
        (0..count)
            .map(|_| {
                let id = self.random.of(ids).clone();
                self.next(Some(id)).into()
            })
            .collect()
    }

    /// Some of these ids.
    pub(crate) fn ids<'i>(&mut self, ids: &'i [String], count: usize) -> Vec<&'i String> {
        (0..count).map(|_| self.random.of(ids)).collect()
    }

    fn next(&mut self, id: Option<String>) -> Plain {
        let random = &mut self.random;
        let id = id.unwrap_or_else(|| random.id());
        let labels = random.below(4);
        Plain {
            id,
            user_id: Some(format!("user-{:03}", random.below(1000))),
            subject: Some((*random.of(&WORDS)).to_owned()),
            body: Some(random.words(3, 12)),
            priority: i64::try_from(random.below(200)).unwrap_or(0),
            status: (random.below(2) == 0).then(|| "open".to_owned()),
            description: (random.below(2) == 0).then(|| random.words(5, 20)),
            labels: (labels > 0).then(|| (0..labels).map(|_| random.words(1, 1)).collect()),
        }
    }
}

/// splitmix64: small, fast, and good enough to scatter ids.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn words(&mut self, from: usize, to: usize) -> String {
        let count = from + self.below(to - from + 1);
        let words: Vec<&str> = (0..count).map(|_| *self.of(&WORDS)).collect();
        words.join(" ")
    }

    /// 16 letters and digits.
    fn id(&mut self) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        (0..16).map(|_| char::from(*self.of(LETTERS))).collect()
    }
}
