//! An EMQX REST API for tests.
