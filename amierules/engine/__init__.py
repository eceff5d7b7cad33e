"""The engine: choosing a rule, planning, doing and recording its steps, settling how a packet ends."""
