"""What would break at night, found by day: checks of rules that are well formed."""
