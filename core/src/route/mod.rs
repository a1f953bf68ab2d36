//! Routes: which request goes where, decided on the raw bytes of its head.
//!
//! A request is matched as it came: nothing is decoded, normalised or lower-cased but the host. What a backend might
//! read differently than this module is refused before ([`ambiguity`]), not repaired: a repair here would be a
//! difference of opinion there.
//!
//! Routes stand in one total order, the most specific first, and the first one of which all conditions hold is taken.
//! [`matcher`] finds it without walking through them; [`shadow`] finds those that can never be it, [`meeting`] the pools
//! that one client can use. What is done with a request then is data as well: [`template`], [`rewrite`], [`headers`],
//! [`split`].

pub mod ambiguity;
pub mod conditions;
pub mod headers;
pub mod matcher;
pub(crate) mod meeting;
mod pattern;
mod request;
pub mod rewrite;
pub(crate) mod shadow;
pub mod split;
mod template;
mod unrouted;

pub use matcher::Matcher;
pub use pattern::{BadPattern, Pattern};
pub use request::{Headers, NoHeaders, Request};
pub(crate) use template::pieces;
pub use template::{BadTemplate, Piece, Template, Values, Variable};
pub use unrouted::Unrouted;
