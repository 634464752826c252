"""Last of what the fork server loads: what is there by now no process forked from it looks through, or copies."""

import gc

gc.collect()
gc.freeze()
