"""From annotated music to a model directory: datasets, fitting, metrics, cross-validation."""
