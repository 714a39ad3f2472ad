"""Records, ports, errors, configuration, plug-ins, artifacts, run: the nouns, and how a step's output is kept."""
