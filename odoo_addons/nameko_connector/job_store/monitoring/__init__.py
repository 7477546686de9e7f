"""What people see of jobs: attempts, batches, failures, the overview's numbers, workflows."""
