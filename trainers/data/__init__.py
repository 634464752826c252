"""From shards to batches: samples, packing, blending, curriculum, reading ahead."""
