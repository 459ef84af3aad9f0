//! What others build on: the schema, its rights, its cost, and the house's own
//! order.

pub mod access;
mod api;
mod architecture;
mod limits;
mod links;
mod nulls;
mod operations;
mod plans;
mod promises;
mod rooms;
mod schema;
pub mod sdl;
mod transport;
