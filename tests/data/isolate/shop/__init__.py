MODE = "quiet"
REGISTRY = []
STEPS = []
LOADED = []
