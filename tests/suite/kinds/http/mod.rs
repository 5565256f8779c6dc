//! `http`: real servers, logins, and peers that do everything wrong.

mod hostile;
mod login;
mod nginx;
