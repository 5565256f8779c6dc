//! Opening, committing, corruption, migration.
