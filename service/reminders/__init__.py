"""How one reminder comes to be, in the order in which the modules work. Read them in this order, too.

1. Asked for: `rules` (a webhook), `offsets` (how long before), `moments` (of an event, and when that is due).
2. Planned, pure: `plan`, `changes` (notices), `replan` (after a change), `lateness`, `identity`; `upcoming`
   shows the same to the webhook's owner.
3. Planned, stored: `fanout` is the loop, `horizon` finds the events, `passes` reads and decides.
4. Sent: `deliver` is the loop, `cycle` its transaction, `outbox` and `lanes` what is claimed, `prepare` the
   last look, `sending` the attempt, `retry` and `switchoff` what follows, `logbook` what the log says;
   `once` sends a test or `sample`.
5. Said: `message` and `wording`, then `formats`: `payload`, `slack`, `discord`, `teams`. Signed: `signing`,
   `secrets`.
"""
