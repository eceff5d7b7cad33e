"""amierules: answer AMIE packets at a supercomputing site with YAML rules."""

__version__ = "0.1.0"
