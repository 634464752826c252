"""Starting stages: chains of them, processes on this machine, Slurm scripts."""
