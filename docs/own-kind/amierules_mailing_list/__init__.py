"""A kind of action for amierules: who is on a mailing list."""
