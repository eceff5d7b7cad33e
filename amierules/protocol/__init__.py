"""What AMIE says: the packet catalogue, bodies and rows, typed values, and checks of what comes in and goes out."""
