"""Samples to overlapping frames to one MFCC row, state in and state out."""
