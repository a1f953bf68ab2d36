//! Properties of the whole crate, seen from outside, with a naive reader as the judge.

mod bodies;
mod heads;
mod naive;
mod smuggling;
