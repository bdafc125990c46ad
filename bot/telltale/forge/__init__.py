"""
GitHub, as far as the bot needs it: `interface` says what, `github` does it.

Nothing is imported here, so that reading the interface costs no PyGithub.
"""
