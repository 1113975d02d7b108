//! Constructs of the shell, one by one.
