"""Where samples come from: files, raw PCM and sound devices, brought to the model's rate."""
