"""Risk of what is held now: value at risk, its parts, and what stress would cost."""
