"""The AMIE database: connections, tables, packets in and replies out, journal, registry."""
