//! The demo in a terminal.

use std::{io, time::Duration};

use crossterm::event::Event;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    keys::{self, Action},
    page,
    screen::Screen,
    session::Session,
    signals::Signals,
};

/// Between two frames: quick enough to seem live, slow enough to read numbers.
const FRAME: Duration = Duration::from_millis(250);

/// Shows the session until a key, a signal or the end of the time.
///
/// # Errors
/// When the terminal cannot be taken over, or is gone.
pub(super) async fn show(
    session: &mut Session,
    signals: &mut Signals,
    limit: Option<Duration>,
) -> io::Result<()> {
    let mut screen = Screen::enter()?;
    let mut events = keys::listen();
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while limit.is_none_or(|limit| session.elapsed() < limit) {
        let size = Screen::size();
        screen.draw(page::render(&session.state(), size), size)?;
        tokio::select! {
            _ = frames.tick() => session.look(),
            () = signals.received() => break,
            event = events.recv() => match event {
                Some(Event::Key(key)) => match keys::action(&key) {
                    Some(Action::Select(index)) => session.select(index),
                    Some(Action::Do(deed)) => session.act(deed),
                    Some(Action::Load) => session.next_level(),
                    Some(Action::Quit) => break,
                    None => {}
                },
                // A new size: the next turn draws for it.
                Some(_) => {}
                None => break,
            },
        }
    }
    Ok(())
}
