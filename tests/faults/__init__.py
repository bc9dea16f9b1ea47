"""Plants faults in a copy of the project, one at a time, and sees whether it notices.

``nox -s faults`` runs all of them, ``nox -s faults -- -k hang`` some, and
``nox -s faults -- --list`` shows their names. A fault is data: see ``fault.py``.
"""
