"""What is registered by name: entries of our own packages and of installed plug-ins, with where each comes from."""
