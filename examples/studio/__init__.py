"""What `four_moods.py` is played and mixed with: NumPy and SciPy, nothing sampled."""
