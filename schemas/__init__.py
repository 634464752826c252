"""Every record and file that crosses a wall: documents, recipes, manifests, and what a step is."""
