"""Studies behind the documented results: lesions and model observers, rate and distortion, reference codecs."""
