"""Publish the ready jobs: `mover`, and under the limits of policies `limited`."""
