"""The kinds of action: probe, plan, apply; one module each."""
