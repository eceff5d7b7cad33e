"""The test central database: the remote side of the protocol, which sites can be held against before production."""
