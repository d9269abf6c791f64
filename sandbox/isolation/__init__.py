"""The jail in which computations run. Pure: no Django.

Read in this order: `limits`, `walls` (the jail as data), `runner/syscalls` (what may be asked of the kernel),
`spares` (how the worker uses it).
"""
