"""Hybrid convolution, LSTM, and the model directory that holds them."""
