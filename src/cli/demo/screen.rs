//! The terminal, taken over and given back: lines are drawn over the last ones in the alternate screen, and whatever
//! way out is taken, an error or a panic included, the terminal is as it was.

use std::{
    io::{self, Write},
    panic,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crossterm::{
    cursor, execute, queue,
    style::{Attribute, Color, Print, SetAttribute, SetForegroundColor},
    terminal::{
        self, BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
        EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    },
};

use super::text::{Line, Style};
use crate::cli::output::error_line;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Characters in a line.
    pub(super) width: usize,
    /// Lines.
    pub(super) height: usize,
}

/// The terminal while it is ours. Dropping it gives it back.
pub(super) struct Screen {
    drawn: Option<Size>,
    /// What this thread's last panic said: where it is raised, the alternate screen would swallow it.
    panicked: Arc<Mutex<Option<String>>>,
}

impl Screen {
    /// Takes the terminal over: raw mode, alternate screen, no cursor.
    ///
    /// # Errors
    /// When stdout is no terminal, or is gone; it is given back then.
    pub(super) fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self {
            drawn: None,
            panicked: keep_panics(),
        };
        execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
        Ok(screen)
    }

    /// How large the terminal is now; a serial line that does not know is taken for 80 by 24.
    pub(super) fn size() -> Size {
        match terminal::size() {
            Ok((width, height)) if width > 0 && height > 0 => Size {
                width: width.into(),
                height: height.into(),
            },
            _ => Size {
                width: 80,
                height: 24,
            },
        }
    }

    /// Draws the lines from the top, cut to the size, and clears what is below.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, lines: Vec<Line>, size: Size) -> io::Result<()> {
        // In memory first: a frame in one piece does not flicker.
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        if self.drawn.replace(size) != Some(size) {
            queue!(frame, Clear(ClearType::All))?;
        }
        let empty = std::iter::repeat_with(Line::default);
        for (row, line) in (0..).zip(lines.into_iter().chain(empty).take(size.height)) {
            queue!(frame, cursor::MoveTo(0, row))?;
            for (style, text) in line.fit(size.width).spans() {
                queue_styled(&mut frame, *style, text)?;
            }
        }
        queue!(frame, EndSynchronizedUpdate)?;
        let mut stdout = io::stdout();
        stdout.write_all(&frame)?;
        stdout.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Errors mean that the terminal is gone, and then nothing is left to give back.
        let _gone = execute!(io::stdout(), LeaveAlternateScreen, EnableLineWrap, cursor::Show);
        let _gone = terminal::disable_raw_mode();
        if thread::panicking() {
            let message = self
                .panicked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            error_line(message.unwrap_or_default());
        }
    }
}

fn keep_panics() -> Arc<Mutex<Option<String>>> {
    let kept = Arc::new(Mutex::new(None));
    let (keeper, ours, previous) = (Arc::clone(&kept), thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == ours {
            *keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
        }
        previous(info);
    }));
    kept
}

fn queue_styled(frame: &mut Vec<u8>, style: Style, text: &str) -> io::Result<()> {
    match style {
        Style::Plain => return queue!(frame, Print(text)),
        Style::Strong => queue!(frame, SetAttribute(Attribute::Bold))?,
        Style::Faint => queue!(frame, SetAttribute(Attribute::Dim))?,
        Style::Good => queue!(frame, SetForegroundColor(Color::Green))?,
        Style::Warning => queue!(frame, SetForegroundColor(Color::Yellow))?,
        Style::Bad => queue!(frame, SetForegroundColor(Color::Red))?,
    }
    queue!(frame, Print(text), SetAttribute(Attribute::Reset))
}
