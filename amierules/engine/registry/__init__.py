"""The registry as people see it: imported, exported, changed by hand, and told of."""
