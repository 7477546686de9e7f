"""The relay, a process: it sends jobs to RabbitMQ, and writes their results."""
