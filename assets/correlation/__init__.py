"""How what is held moves together: correlations of assets, regimes, exposure to factors, and the moment it changes."""
