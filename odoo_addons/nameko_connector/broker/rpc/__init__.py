"""Synchronous calls of services: one, or many at once.

1. `client` is the entry point, for any thread of any process. It takes a started proxy from the
   `pool`, which creates a limited number of them on demand, and new ones after a fork.
2. `proxy` is Nameko's `ClusterRpcProxy` with hard deadlines; `loading` imports Nameko without
   blocking the exit of the process. The proxy's `wire` is one connection for requests, confirms
   and replies.
3. `call` publishes a request, mandatory and with an expiration, and waits for its confirm and its
   reply at the same time. While no reply comes, `watch` asks the broker whether the service's queue
   has consumers, so that the error says what is wrong.
4. `batch` sends many requests over one connection; `window` limits how many wait for a reply.

When a step fails:

- No queue takes the request: UnknownService, at once.
- The connection breaks before the request was sent: it is sent once more over a new connection.
  The connection breaks later: UncertainOutcome, as the request may have run.
- The deadline passes: CallTimeout. The proxy is discarded, so that a late reply is never taken for
  the reply to another call.
- The broker cannot be reached: BrokerUnreachable. `breaker` shortens the connect timeout of the
  next calls, and allows the full timeout from time to time.
"""
