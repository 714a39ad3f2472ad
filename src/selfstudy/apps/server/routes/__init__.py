"""The routes, a module for each group of them: what comes in is checked, the Engine is called, what it returns goes out."""
