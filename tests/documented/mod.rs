//! The documents hold: what they show is what the program prints, what they name exists, what exists is named.

/// ARCHITECTURE.md against folders and messages.
mod architecture;
/// Blocks of output, compared or rewritten.
mod block;
/// Single commands of the pages.
mod examples;
/// Lists of the documents against the code: fields, commands, statuses, settings.
mod facts;
/// Links, lengths, languages.
mod pages;
/// A terminal with the ports of the documents.
mod session;
/// `docs/tour.md`.
mod tour;
