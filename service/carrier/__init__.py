"""Requests leave from a process of their own, so that sending does not hold up those who ask.

`carrier` sends and sees to it that there is a child, `child` is that process as its parent sees it, `program`
what it runs, `line` what the two say to each other.
"""
