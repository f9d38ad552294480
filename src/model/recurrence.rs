//! RFC 5545 recurrence rules and their occurrences.
