"""The decisions about reminders, pure: what is sent when, under which id, in which words, signed how.

`webhook` is what a subscriber asks for, `due_times` and `offsets` when that is due. `plan` makes reminders,
`notices` messages about changes, `replan` brings both in step with a change, `preview` shows them to their
owner. `messages/` renders one format a module. `signing` and `retry` serve each attempt. What plans and sends
with these decisions is `service.delivery`.
"""
