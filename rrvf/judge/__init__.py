"""Judges: two pictures in, feedback text (Fig. 2c, step 2) or a score (Fig. 2d) out, over one protocol."""
