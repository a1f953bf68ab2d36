//! The time of day of a moment, as text. A thread that writes many lines a second works the date out once a second.

use std::{
    cell::RefCell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long it is taken for granted that the system's clock goes as fast as the one that never goes back.
const ALIGNED: Duration = Duration::from_millis(500);

/// `2026-11-30T09:30:00` is that long.
const DATE: usize = 19;

thread_local! {
    static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

struct Clock {
    /// Both clocks at one moment.
    aligned: (Instant, Duration),
    /// The second that is written, since the epoch, and its text.
    written: (u64, [u8; DATE]),
}

/// Calls `with` the text of a moment's second, as RFC 3339 has it without its zone, and its millisecond.
pub(super) fn with_time<T>(moment: Instant, now: Instant, with: impl FnOnce(&[u8; DATE], u32) -> T) -> T {
    CLOCK.with(|clock| {
        let mut clock = clock.borrow_mut();
        let clock = clock.get_or_insert_with(|| Clock::new(now));
        if now.saturating_duration_since(clock.aligned.0) > ALIGNED {
            clock.aligned = (now, since_epoch());
        }
        let since = clock.since_epoch(moment);
        if since.as_secs() != clock.written.0 {
            clock.written = (since.as_secs(), text(since.as_secs()));
        }
        with(&clock.written.1, since.subsec_millis())
    })
}

impl Clock {
    fn new(now: Instant) -> Self {
        let since = since_epoch();
        Self {
            aligned: (now, since),
            written: (since.as_secs(), text(since.as_secs())),
        }
    }

    fn since_epoch(&self, moment: Instant) -> Duration {
        let (at, since) = self.aligned;
        match moment.checked_duration_since(at) {
            Some(later) => since + later,
            None => since.saturating_sub(at.saturating_duration_since(moment)),
        }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Days since the epoch to year, month and day: Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn text(seconds: u64) -> [u8; DATE] {
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00";
    let mut put = |at: usize, number: u64| {
        text[at] = b'0' + (number / 10 % 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    };
    put(0, year / 100);
    put(2, year % 100);
    put(5, month);
    put(8, day);
    put(11, of_day / 3600);
    put(14, of_day / 60 % 60);
    put(17, of_day % 60);
    text
}

/// The time of day, as RFC 3339 has it.
pub(in crate::telemetry) fn now() -> String {
    let since = since_epoch();
    let date = text(since.as_secs());
    format!("{}.{:03}Z", String::from_utf8_lossy(&date), since.subsec_millis())
}

/// The same as common log formats have it: `30/Nov/2026:09:30:00 +0000`.
pub(super) fn common(date: &[u8; DATE]) -> [u8; 26] {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = usize::from(date[5] - b'0') * 10 + usize::from(date[6] - b'0');
    let name = MONTHS.chunks(3).nth(month.saturating_sub(1)).unwrap_or(b"???");
    let mut text = *b"00/Mon/0000:00:00:00 +0000";
    text[..2].copy_from_slice(&date[8..10]);
    text[3..6].copy_from_slice(name);
    text[7..11].copy_from_slice(&date[..4]);
    text[12..20].copy_from_slice(&date[11..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: u64) -> String {
        String::from_utf8_lossy(&text(seconds)).into_owned()
    }

    #[test]
    fn seconds_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_796_031_000, "2026-11-30T09:30:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(shown(seconds), expected);
        }
        let common = common(&text(1_796_031_000));
        assert_eq!(String::from_utf8_lossy(&common), "30/Nov/2026:09:30:00 +0000");
    }

    #[test]
    fn a_moment_of_the_past_is_one() {
        let now = Instant::now();
        let (early, late) = (now - Duration::from_secs(3), now + Duration::from_millis(5));
        let text = |moment| {
            with_time(moment, now, |text, millis| {
                (String::from_utf8_lossy(text).into_owned(), millis)
            })
        };
        assert!(text(early) < text(now) && text(now) <= text(late));
    }
}
