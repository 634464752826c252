"""What happens around a step: optimizer, checkpoints, spikes, validation, logs."""
