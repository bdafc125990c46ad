# Puts this folder on sys.path (rootdir/conftest.py, import mode prepend).
