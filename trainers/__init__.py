"""Megatron-Core training from shard manifests, on GPUs and, layout for layout, on CPUs."""

import warnings

from trainers.quick_import import import_quickly

# Megatron-Core says on import, in every process, that Apex and Transformer Engine are absent.
warnings.filterwarnings("ignore", module=r"megatron\.")
import_quickly()
