"""What happens around a step, one hook a file: shards checked, spikes, validation, log, saves, stop signals."""
