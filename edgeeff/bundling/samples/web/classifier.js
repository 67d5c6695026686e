// A model of this bundle, run by LiteRT.js: classifies pictures and checks itself.

import {
  getWebGpuDevice, loadAndCompile, loadLiteRt, supportsFeature, Tensor,
} from '@litertjs/core';
import {modelInput, scores, square} from './preprocessing.js';

/** How far another chip than the CPU may be off in a score: its kernels round differently. */
export const CLOSE = 0.1;

/** How far float kernels of two CPUs may be off, as a share of the largest value or of 1. */
const FLOAT_TOLERANCE = 1e-4;

/** Starts LiteRT once; `wasm` is the folder of its WebAssembly files. */
export async function start(wasm) {
  // With JSPI a GPU may take a part of the operators, and leave the others to the CPU.
  await loadLiteRt(wasm, {jspi: await supportsFeature('jspi')});
}

/** The bundle's document and the names of its classes; `root` is its folder, as a URL. */
export async function openBundle(root) {
  const bundle = await (await fetched(new URL('bundle.json', root))).json();
  const names = bundle.labels && (await (await fetched(new URL(bundle.labels, root))).text());
  return {...bundle, root, names: names ? names.replace(/\n$/, '').split('\n') : null};
}

/** A model on one accelerator: 'wasm' (the CPU) or 'webgpu'. Call `close` when done. */
export class Classifier {
  static async open(bundle, model, accelerator = 'wasm') {
    const url = new URL(model.file, bundle.root).href;
    const options = {accelerator, gpuOptions: {precision: 'fp32'}};
    return new Classifier(bundle, model, accelerator, await loadAndCompile(url, options));
  }

  constructor(bundle, model, accelerator, compiled) {
    Object.assign(this, {bundle, model, accelerator, compiled});
  }

  /** Whether the accelerator took every operator; if not, the CPU did the rest, or all. */
  get accelerated() {
    return this.compiled.isFullyAccelerated;
  }

  /** The likeliest classes of a picture (RGBA, upright), with their scores. */
  async classify(picture, count = 5) {
    const pixels = square(picture, this.model.preprocessing);
    const found = scores(this.model, await this.run(modelInput(this.model, pixels)));
    const order = Array.from(found.keys()).sort((a, b) => found[b] - found[a] || a - b);
    const name = (number) => this.bundle.names?.[number] ?? String(number);
    const classes = order.slice(0, count).map((number) => (
      {number, name: name(number), score: found[number]}));
    return {classes, pixels};
  }

  /** The raw output for a raw input, as typed arrays. */
  async run(values) {
    const input = new Tensor(values, this.model.input.shape);
    const results = await this.compiled.run([input]);
    const raw = await results[0].data();
    const copy = raw.slice();
    input.delete();
    for (const result of results) result.delete();
    return copy;
  }

  close() {
    this.compiled.delete();
  }
}

/**
 * Runs a model's golden vectors on an accelerator.
 *
 * @return {Promise<Array>} for each vector: how many values differ from the golden ones, the
 *     largest difference in quantization steps (null for float) and in scores, whether that
 *     passes, and `suspect`: what says that another chip than the CPU was not used.
 */
export async function selfCheck(bundle, model, accelerator) {
  const classifier = await Classifier.open(bundle, model, accelerator);
  try {
    const found = [];
    for (const {picture, input, output} of model.vectors) {
      const [values, expected] = await Promise.all([
        golden(bundle, input, model.input.dtype),
        golden(bundle, output, model.output.dtype),
      ]);
      found.push({picture, ...compared(model, await classifier.run(values), expected)});
    }
    const {accelerated} = classifier;
    const gpu = accelerator === 'webgpu' ? getWebGpuDevice()?.adapterInfo : null;
    return judged(model, accelerator, {accelerated, software: isSoftware(gpu)}, found);
  } finally {
    classifier.close();
  }
}

/** Whether a graphics adapter is a program that runs on the CPU. */
function isSoftware(info) {
  return Boolean(info?.isFallbackAdapter || /swiftshader|llvmpipe/i.test(info?.architecture));
}

function compared(model, raw, expected) {
  const [real, golden] = [scores(model, raw), scores(model, expected)];
  const most = (values) => values.reduce((a, b) => Math.max(a, b), 0);
  return {
    differing: raw.reduce((count, value, place) => count + (value !== expected[place]), 0),
    steps: model.output.scale === null ? null :
      most(Array.from(raw, (value, place) => Math.abs(value - expected[place]))),
    off: most(real.map((value, place) => Math.abs(value - golden[place]))),
    whole: real.every(Number.isFinite),
    largest: most(golden.map(Math.abs)),
  };
}

/** Whether each result passes. On the CPU a model of integers only has to be equal. */
export function judged(model, accelerator, {accelerated, software = false}, found) {
  const cpu = accelerator === 'wasm';
  const passes = ({steps, off, whole, largest}) => {
    if (!whole) return false;
    if (!cpu) return off <= CLOSE;
    if (steps === null) return off <= FLOAT_TOLERANCE * Math.max(1, largest);
    return steps <= (model.integer_only ? 0 : 1);
  };
  const equal = found.length > 0 && found.every(({differing}) => differing === 0);
  let suspect = null;
  if (!cpu && !accelerated) suspect = 'not every operator ran there: the CPU did part or all';
  else if (!cpu && software) suspect = 'this GPU is a program: the CPU did the work';
  else if (!cpu && equal) suspect = 'every bit is as on a CPU: probably one did the work';
  return found.map((each) => ({accelerator, ...each, passes: passes(each), suspect}));
}

async function golden(bundle, file, dtype) {
  const kinds = {float32: Float32Array, uint8: Uint8Array, int8: Int8Array};
  if (!(dtype in kinds)) throw new Error(`LiteRT.js reads no ${dtype}`);
  return new kinds[dtype](await (await fetched(new URL(file, bundle.root))).arrayBuffer());
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}
