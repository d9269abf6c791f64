"""Everything about the machine this runs on: where things live, the services, who starts whom, what lacks.

No module here imports Django when it is imported: the supervisor and the doctor must start in an instant and
work where the application cannot.
"""
