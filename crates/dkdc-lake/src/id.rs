//! The ids of files, made as the original packages make them.

use crate::error::{Error, Result};

/// A new id: the time in units of 10 microseconds since the Unix epoch, a
/// dash, and 8 random hexadecimal digits, such as `173273056550533-f0d929c0`.
///
/// ```
/// let id = dkdc_lake::uuid()?;
/// let (time, random) = id.split_once('-').ok_or("no dash")?;
/// assert_eq!((time.len(), random.len()), (15, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NoRandomness`].
#[expect(
    clippy::disallowed_methods,
    reason = "the time in an id is for people: nothing is ordered by it"
)]
pub fn uuid() -> Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| Error::NoRandomness(std::io::Error::other(error.to_string())))?;
    let time = jiff::Timestamp::now().as_microsecond() / 10;
    Ok(format!("{time}-{:08x}", u32::from_be_bytes(random)))
}
