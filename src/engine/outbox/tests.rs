//! Deliveries against scripted notifiers.
