"""The demonstration: simulated benefactors, a status line, and the invariants it must hold to end with 0."""
