"""Rule tests: packets and a scripted world, the real engine, and what must come of them."""
