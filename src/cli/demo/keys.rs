//! Keys, and what they do.

use std::{thread, time::Duration};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

/// How soon the reading thread sees that nobody listens any more.
const POLL: Duration = Duration::from_millis(100);

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Select the backend with this index.
    Select(usize),
    /// Do this to the selected backend.
    Do(Deed),
    /// Send the next level of load.
    Load,
    /// End.
    Quit,
}

/// What can be done to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// It stops listening and resets its connections.
    Kill,
    /// It listens again.
    Revive,
    /// It answers late, or no longer does.
    Slow,
}

/// What a key means, if anything.
pub(super) fn action(key: &KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let KeyCode::Char(char) = key.code else {
        return (key.code == KeyCode::Esc).then_some(Action::Quit);
    };
    if key
        .modifiers
        .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    {
        return (char == 'c' && key.modifiers == KeyModifiers::CONTROL).then_some(Action::Quit);
    }
    match char.to_ascii_lowercase() {
        '1' => Some(Action::Select(0)),
        '2' => Some(Action::Select(1)),
        '3' => Some(Action::Select(2)),
        'k' => Some(Action::Do(Deed::Kill)),
        'r' => Some(Action::Do(Deed::Revive)),
        's' => Some(Action::Do(Deed::Slow)),
        'l' => Some(Action::Load),
        'q' => Some(Action::Quit),
        _ => None,
    }
}

/// Keys and changes of the size, as they come; ends when the terminal is gone.
pub(super) fn listen() -> mpsc::UnboundedReceiver<Event> {
    let (events, received) = mpsc::unbounded_channel();
    // A thread, because reading a terminal blocks. If it cannot be had, the receiver sees the end at once.
    let _thread = thread::Builder::new().name("keys".to_owned()).spawn(move || {
        while !events.is_closed() {
            let event = match event::poll(POLL) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let Ok(event) = event else { return };
            if events.send(event).is_err() {
                return;
            }
        }
    });
    received
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn each_key_of_the_help_line_does_what_it_says() {
        let of = |char| pressed(KeyCode::Char(char), KeyModifiers::NONE);
        assert_eq!(of('1'), Some(Action::Select(0)));
        assert_eq!(of('3'), Some(Action::Select(2)));
        assert_eq!(of('k'), Some(Action::Do(Deed::Kill)));
        assert_eq!(of('r'), Some(Action::Do(Deed::Revive)));
        assert_eq!(of('s'), Some(Action::Do(Deed::Slow)));
        assert_eq!(of('l'), Some(Action::Load));
        assert_eq!(of('q'), Some(Action::Quit));
        assert_eq!(
            pressed(KeyCode::Char('K'), KeyModifiers::SHIFT),
            Some(Action::Do(Deed::Kill))
        );
        assert_eq!(pressed(KeyCode::Esc, KeyModifiers::NONE), Some(Action::Quit));
        assert_eq!(
            pressed(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Action::Quit)
        );
    }

    #[test]
    fn other_keys_do_nothing() {
        for code in [
            KeyCode::Char('4'),
            KeyCode::Char('c'),
            KeyCode::Char('x'),
            KeyCode::Enter,
            KeyCode::Up,
        ] {
            assert_eq!(pressed(code, KeyModifiers::NONE), None, "{code:?}");
        }
        assert_eq!(pressed(KeyCode::Char('k'), KeyModifiers::CONTROL), None);
        let mut released = KeyEvent::new(KeyCode::Char('k'), KeyModifiers::NONE);
        released.kind = KeyEventKind::Release;
        assert_eq!(action(&released), None);
    }
}
