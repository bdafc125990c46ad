"""
What runs inside the user's Python, from outside: chosen tests in a chosen order.

Nothing here imports anything of Telltale, and everything is Python 3.7. `child.py`
and `items.py` also travel with every scaffold, as copies.
"""
