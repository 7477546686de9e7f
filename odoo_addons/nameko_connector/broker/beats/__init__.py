"""Which services run: their heartbeats, and what RabbitMQ knows of their queues.

1. Each service process publishes a beat on the exchange `heartbeat.events`. `listener` consumes
   them over a connection of its own, so that no beat delays a job; its queue keeps the newest.
2. `beat` reads one: what is no beat, or too large, is dropped; the texts are bounded.
3. `management` asks RabbitMQ's management API for the queues of services that do not beat.

When a step fails: the catalogue of services is older than it could be; no job waits for it.
"""
