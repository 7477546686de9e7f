"""What moves jobs: from their rows to the broker, and from replies to results."""
