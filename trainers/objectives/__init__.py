"""What is learned: one objective a file, registered by name; `objective.py` says what one is."""
