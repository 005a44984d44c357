from medsr_jax.degradation.steps import Quantise
Vignetting=GridLines=QuantumNoise=DetectorBlur=Quantise
