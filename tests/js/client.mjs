// Holds one conversation with Bedrock through the JavaScript SDK and prints every event as a line of JSON.
//
//   node client.mjs converse MODEL TEXT        Converse, the answer on one line
//   node client.mjs speak MODEL [FILE.wav]     the bidirectional stream: says the file (PCM s16le, 16 kHz, mono),
//                                              or the PCM on standard input, and waits for the answer
//
// Region, credentials, endpoint and the certificate authority come from the environment, as for any AWS client.
// An error of the service is a line {"error": name, "message": text} and exit code 2.

import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import {
  BedrockRuntimeClient,
  ConverseCommand,
  InvokeModelWithBidirectionalStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";

const SAMPLE_RATE = 16000;
const FRAME_BYTES = 1024; // 32 ms
const PAUSE_MS = 2200; // longer than any endpointing pause
const PROMPT = "prompt-1";
const SYSTEM = "system-1";
const AUDIO = "audio-1";

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const client = new BedrockRuntimeClient({ maxAttempts: 1 });

function format(voice) {
  const common = {
    mediaType: "audio/lpcm",
    sampleRateHertz: SAMPLE_RATE,
    sampleSizeBits: 16,
    channelCount: 1,
    audioType: "SPEECH",
    encoding: "base64",
  };
  return voice ? { ...common, voiceId: voice } : common;
}

function* opening() {
  yield { sessionStart: { inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 } } };
  yield {
    promptStart: {
      promptName: PROMPT,
      textOutputConfiguration: { mediaType: "text/plain" },
      audioOutputConfiguration: format("tiffany"),
    },
  };
  const text = { type: "TEXT", interactive: false, textInputConfiguration: { mediaType: "text/plain" } };
  yield { contentStart: { promptName: PROMPT, contentName: SYSTEM, role: "SYSTEM", ...text } };
  const content = "You are a friendly partner.\nQuestions:\n- What is the dog doing?";
  yield { textInput: { promptName: PROMPT, contentName: SYSTEM, content } };
  yield { contentEnd: { promptName: PROMPT, contentName: SYSTEM } };
  yield {
    contentStart: {
      promptName: PROMPT,
      contentName: AUDIO,
      type: "AUDIO",
      interactive: true,
      role: "USER",
      audioInputConfiguration: format(),
    },
  };
}

function* sound(pcm) {
  for (let start = 0; start < pcm.length; start += FRAME_BYTES) {
    const content = pcm.subarray(start, start + FRAME_BYTES).toString("base64");
    yield { audioInput: { promptName: PROMPT, contentName: AUDIO, content } };
  }
}

async function* input(pcm, answered) {
  const encode = (event) => ({ chunk: { bytes: Buffer.from(JSON.stringify({ event })) } });
  for (const event of opening()) yield encode(event);
  for (const event of sound(pcm)) yield encode(event);
  for (const event of sound(Buffer.alloc((SAMPLE_RATE / 1000) * PAUSE_MS * 2))) yield encode(event);
  await answered;
  yield encode({ contentEnd: { promptName: PROMPT, contentName: AUDIO } });
  yield encode({ promptEnd: { promptName: PROMPT } });
  yield encode({ sessionEnd: {} });
}

// The samples of a WAV file: what its "data" chunk holds.
function samples(wav) {
  for (let at = 12; at + 8 <= wav.length; ) {
    const length = wav.readUInt32LE(at + 4);
    if (wav.toString("latin1", at, at + 4) === "data") return wav.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  throw new Error("the file has no data chunk");
}

async function speak(model, file) {
  const pcm = file ? samples(await readFile(file)) : await buffer(process.stdin);
  let finish;
  const answered = new Promise((resolve) => (finish = resolve));
  const body = input(pcm, answered);
  const response = await client.send(new InvokeModelWithBidirectionalStreamCommand({ modelId: model, body }));
  let planned = 0;
  let said = 0;
  let stage;
  for await (const message of response.body) {
    if (!message.chunk) throw new Error(`an unknown message: ${Object.keys(message)}`);
    const { event } = JSON.parse(Buffer.from(message.chunk.bytes).toString("utf8"));
    print(event);
    if (event.contentStart) stage = event.contentStart.role + (event.contentStart.additionalModelFields ?? "");
    if (event.textOutput && stage.includes("SPECULATIVE")) planned += 1;
    if (event.contentEnd?.type === "TEXT" && stage.startsWith("ASSISTANT") && stage.includes("FINAL")) said += 1;
    // An answer is over when everything planned was said.
    if (planned > 0 && said === planned) finish();
  }
  print({ streamEnd: {} });
}

async function converse(model, text) {
  const messages = [{ role: "user", content: [{ text }] }];
  const response = await client.send(new ConverseCommand({ modelId: model, messages }));
  print({
    stopReason: response.stopReason,
    text: response.output.message.content[0].text,
    simulated: response.additionalModelResponseFields?.simulated,
  });
}

const [, , command, model, argument] = process.argv;
const commands = { speak, converse };
if (!commands[command] || !model) {
  process.stderr.write("usage: node client.mjs speak MODEL [FILE.wav] | converse MODEL TEXT\n");
  process.exit(64);
}
try {
  await commands[command](model, argument);
} catch (error) {
  print({ error: error.name, message: error.message, status: error.$metadata?.httpStatusCode });
  process.exitCode = 2;
}
