"""The sampling ratios with which a small proxy learns best, found by few short trainings."""
