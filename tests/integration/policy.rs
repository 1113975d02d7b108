//! The policy language: one defect each, and every problem at once.
