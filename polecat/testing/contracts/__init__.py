"""What each port promises, as checks that any implementation can be held to, and what the checks are given.

May import: as `polecat.testing`. Read first: ``contract.py``, then ``git_contract_essentials.py``.
"""
