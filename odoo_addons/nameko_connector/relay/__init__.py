"""The relay: a process that publishes jobs to RabbitMQ and writes their results."""
