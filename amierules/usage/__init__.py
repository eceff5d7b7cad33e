"""Usage reporting: jobs from Slurm or files into a ledger, charged by rules, sent once to each remote."""
