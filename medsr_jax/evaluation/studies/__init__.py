"""Studies behind the documented results: model observers, rate and distortion, reference codecs."""
