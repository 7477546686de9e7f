"""The data for the screens: attempts, batches, failures, statistics, workflows."""
