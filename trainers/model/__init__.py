"""The model: Megatron-Core GPT with our attention, norms and positions, from and to Hugging Face."""
