//! Shared helpers of the tests in this folder.
