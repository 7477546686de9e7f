"""Calls that somebody waits for: one, or many at once.

1. `client` is the entrance, from any thread of any process. It takes a started proxy from the
   `pool`, which keeps a bounded number of them, made when they are needed and after a fork.
2. `proxy` is Nameko's `ClusterRpcProxy` with hard deadlines; `loading` imports Nameko so that the
   process can still end. Its `wire` is one connection on which requests, their confirms and their
   replies travel.
3. `call` publishes a request, mandatory and with an expiration, and waits for its confirm and its
   reply at the same time. While neither comes, `watch` asks the broker whether the service's queue
   has consumers, so that the error says what is wrong.
4. `batch` has many requests under way on one connection; `window` bounds how many.

When a step fails:

- No queue takes the request: UnknownService, at once.
- The connection breaks before the request was out: it is sent once more over another connection.
  After that nobody knows whether it ran: UncertainOutcome.
- The deadline passes: CallTimeout. The proxy is thrown away, so that a reply that comes later is
  never taken for the answer of another call.
- The broker cannot be reached: BrokerUnreachable. `breaker` has the next callers fail at once while
  one of them tries again.
"""
