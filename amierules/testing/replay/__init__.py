"""A packet of the past as a rule test: read from the database, people's data replaced, played to see what comes."""
