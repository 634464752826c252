"""Sources and readers, the stage graph, and the engines that run it."""
