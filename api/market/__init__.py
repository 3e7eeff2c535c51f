"""The market's worker: what is heard, judged, sampled and published."""
