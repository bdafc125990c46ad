"""What runs inside the user's Python, from outside. Nothing here imports anything of Telltale."""
