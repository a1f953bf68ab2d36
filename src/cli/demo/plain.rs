//! The demo without a terminal: a story that plays by itself, told in lines that read well in a log.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use super::{
    page::millis,
    session::{Event, Session, State},
    signals::Signals,
    story::{self, Story},
};
use crate::cli::table;

/// How often it looks, so that events come when they happen.
const LOOK: Duration = Duration::from_millis(250);

/// Between two lines about everything.
const LINE: Duration = Duration::from_secs(1);

/// Tells the story until its end, a signal, or until nobody reads it any more.
pub(super) async fn tell(session: &mut Session, signals: &mut Signals, limit: Option<Duration>) {
    let mut story = Story::new(limit.unwrap_or(story::LENGTH));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut told, mut next_line) = (0, LINE);
    let mut lines = vec![format!(
        "simple-lb demo: a load balancer on {} and three backends",
        session.state().url
    )];
    loop {
        lines.extend(session.events_after(&mut told).iter().map(event_line));
        if session.elapsed() >= next_line {
            lines.push(status_line(&session.state()));
            next_line += LINE;
        }
        if say(&lines).is_err() || story.is_over(session.elapsed()) {
            return;
        }
        lines.clear();
        tokio::select! {
            _ = looks.tick() => session.look(),
            () = signals.received() => return,
        }
        while let Some((backend, deed)) = story.next(session.elapsed()) {
            session.select(backend);
            session.act(deed);
        }
    }
}

/// An error means that nobody reads.
fn say(lines: &[String]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(stdout, "{line}"))?;
    stdout.flush()
}

fn event_line(event: &Event) -> String {
    format!("t={:.1}s  {}", event.at.as_secs_f64(), event.text)
}

/// `t=3s  200 req/s, p99 0.9ms, failed 0 | Server 1 up 33.3% 0.4ms | …`
fn status_line(state: &State<'_>) -> String {
    let seen = &state.seen;
    let mut line = format!(
        "t={}s  {} req/s, p99 {}, failed {}",
        state.elapsed.as_secs(),
        seen.rate,
        millis(seen.p99),
        seen.failed
    );
    let recent = state
        .report
        .pools
        .iter()
        .flat_map(|pool| table::recent(pool, state.window.as_ref()));
    for ((name, _), recent) in state.doings.iter().zip(recent) {
        let health = recent.backend.health;
        line.push_str(&format!(" | {name} {health} {} {}", recent.share, recent.latency));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{
        super::{sample::Sample, text::Style},
        *,
    };

    #[test]
    fn a_line_tells_of_the_clients_and_of_each_backend() {
        let sample = Sample::new();
        assert_eq!(
            status_line(&sample.state()),
            "t=12s  201 req/s, p99 1.2ms, failed 0 | Server 1 up 50.0% 0.4ms | Server 2 down 0.0% - \
             | Server 3 up 50.0% 0.4ms"
        );
    }

    #[test]
    fn an_event_is_told_with_its_time() {
        let event = Event {
            at: Duration::from_millis(1540),
            style: Style::Bad,
            text: "a".to_owned(),
        };
        assert_eq!(event_line(&event), "t=1.5s  a");
    }
}
