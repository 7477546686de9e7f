"""Find out which services run, from their heartbeats ("beats") and RabbitMQ's management API.

1. Each service process publishes beats on the exchange `heartbeat.events`. `listener` consumes
   them over its own connection, so that no beat delays a job; its queue keeps the newest ones.
2. `beat` parses a beat; invalid and too large messages are dropped, and texts are cut.
3. `management` asks RabbitMQ's management API for the queues of services that send no beats.

When a step fails: the catalogue of services is out of date. Jobs are not affected.
"""
