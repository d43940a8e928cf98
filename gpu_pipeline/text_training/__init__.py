"""Training a text model from files: recipes, labelled columns, what came out."""
