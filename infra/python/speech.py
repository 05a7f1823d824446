"""Hears and speaks English for the Bedrock simulator, its parent process. It is no server: one parent, one pipe.

Frames in both directions: length of the rest (u32), kind (u8), id (u32), payload; integers are little endian.

in   1 recognise  sample rate (u32), PCM (i16)      out  0 ready
     2 speak      sample rate (u32), UTF-8 text          1 text    UTF-8
                                                         2 sound   PCM (i16) at the requested rate
                                                         3 failed  the reason, UTF-8

One thread recognises and one speaks, so a response can overtake another. The program ends with its input.

Arguments: kind and folder of a model for the recogniser; without them, it is the packaged one.
"""

import base64
import glob
import os
import queue
import struct
import sys
import tempfile
import threading

HEADER = struct.Struct("<IBI")
RATE = struct.Struct("<I")
READY, TEXT, SOUND, FAILED = range(4)
RECOGNISE, SPEAK = 1, 2
# The parent keeps fewer requests open and sends shorter frames, so what is beyond is damage.
FRAME_BYTES_MAX = 4 * 1024 * 1024
REQUESTS_MAX = 256
RECOGNISER_HZ = 16_000

# Libraries log to standard output, which belongs to the frames: it is moved before they are imported.
frames_out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
frames_in = sys.stdin.buffer
writing = threading.Lock()

import numpy as np  # noqa: E402
import sherpa_onnx  # noqa: E402
from hibari import Hibari  # noqa: E402


def send(kind, request_id, payload=b""):
    with writing:
        frames_out.write(HEADER.pack(5 + len(payload), kind, request_id) + payload)
        frames_out.flush()


def resampled(samples, rate, wanted):
    """Converts the rate without what would alias: it cuts or extends the spectrum."""
    if rate == wanted or len(samples) == 0:
        return samples
    length = len(samples) * wanted // rate
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(length // 2 + 1, spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.fft.irfft(kept, length) * (length / len(samples))


def tokens(packed):
    """The vocabulary as the engine wants it: base64 of each token's bytes and its id, a token a line.

    Packed, a token is its length and its bytes; from 128 on the length has a second byte, of multiples of 128.
    """
    at, lines = 0, []
    while at < len(packed):
        length = packed[at]
        at += 1
        if length >= 128:
            length = length - 128 + packed[at] * 128
            at += 1
        token = packed[at : at + length]
        at += length
        if len(token) == 6 and token.startswith(b"<0x"):
            token = bytes([int(token[3:5], 16)])
        token = token.replace("\u2581".encode(), b" ")
        lines.append(f"{base64.b64encode(token).decode()} {len(lines)}\n")
    return "".join(lines)


def moonshine(folder):
    def load(listed):
        return sherpa_onnx.OfflineRecognizer.from_moonshine_v2(
            encoder=one_of(folder, "encoder_model.ort"),
            decoder=one_of(folder, "decoder_model_merged.ort"),
            tokens=listed,
        )

    packed = os.path.join(folder, "tokenizer.bin")
    if not os.path.exists(packed):
        return load(one_of(folder, "tokens.txt"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        with open(packed, "rb") as file:
            listed.write(tokens(file.read()))
        listed.flush()
        return load(listed.name)


def whisper(folder):
    return sherpa_onnx.OfflineRecognizer.from_whisper(
        encoder=one_of(folder, "*-encoder.int8.onnx"),
        decoder=one_of(folder, "*-decoder.int8.onnx"),
        tokens=one_of(folder, "*-tokens.txt"),
        language="en",
    )


def transducer(folder):
    return sherpa_onnx.OfflineRecognizer.from_transducer(
        encoder=one_of(folder, "encoder.int8.onnx"),
        decoder=one_of(folder, "decoder.int8.onnx"),
        joiner=one_of(folder, "joiner.int8.onnx"),
        tokens=one_of(folder, "tokens.txt"),
        model_type="nemo_transducer",
    )


def one_of(folder, pattern):
    found = glob.glob(os.path.join(glob.escape(folder), pattern))
    if len(found) != 1:
        sys.exit(f"the model in {folder} has {len(found)} files {pattern}, and not one")
    return found[0]


LOADERS = {loader.__name__: loader for loader in (moonshine, whisper, transducer)}


def recognise(engine, rate, payload):
    samples = np.frombuffer(payload, "<i2").astype(np.float32) / 32768
    stream = engine.create_stream()
    stream.accept_waveform(RECOGNISER_HZ, resampled(samples, rate, RECOGNISER_HZ).astype(np.float32))
    engine.decode_stream(stream)
    return TEXT, stream.result.text.strip().encode()


def speak(voice, rate, payload):
    # The fixed seed makes the samples of a sentence the same every time.
    samples = resampled(voice(payload.decode(), seed=0), voice.sample_rate, rate)
    return SOUND, (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def serve(requests, work, engine):
    while (request := requests.get()) is not None:
        request_id, payload = request
        try:
            (rate,) = RATE.unpack_from(payload)
            if not 8_000 <= rate <= 48_000:
                raise ValueError(f"a sample rate of {rate} Hz")
            send(*reply(request_id, *work(engine, rate, payload[RATE.size :])))
        except Exception as error:
            send(FAILED, request_id, f"{type(error).__name__}: {error}".encode())


def reply(request_id, kind, payload):
    return kind, request_id, payload


def main():
    kind, folder = sys.argv[1:] or ["moonshine", os.path.join(sys.prefix, "speech-model")]
    hearing, speaking = queue.Queue(REQUESTS_MAX), queue.Queue(REQUESTS_MAX)
    voice = Hibari()
    # Loads what it otherwise loads with the first sentence.
    voice("Hello.", seed=0)
    for requests, work, engine in (hearing, recognise, LOADERS[kind](folder)), (speaking, speak, voice):
        threading.Thread(target=serve, args=(requests, work, engine), daemon=True).start()
    send(READY, 0)
    while len(header := frames_in.read(HEADER.size)) == HEADER.size:
        length, kind, request_id = HEADER.unpack(header)
        if not 5 <= length <= FRAME_BYTES_MAX or kind not in (RECOGNISE, SPEAK):
            sys.exit(f"a damaged frame: kind {kind}, {length} bytes")
        payload = frames_in.read(length - 5)
        (hearing if kind == RECOGNISE else speaking).put((request_id, payload))


main()
# Threads in the engines do not delay the end.
os._exit(0)
