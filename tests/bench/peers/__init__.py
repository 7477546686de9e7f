"""What the benchmark compares with: OCA queue_job, and plain AMQP."""
