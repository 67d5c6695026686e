// From a picture's pixels to the values that a model of this bundle takes, as the network was
// trained. No part of it needs a browser.

/**
 * The middle square of an upright picture, resized: Uint8Array [side, side, 3], RGB.
 *
 * @param {{data: Uint8ClampedArray, width: number, height: number}} picture RGBA, row by row.
 * @param {{resolution: number, crop: number, interpolation: string}} how `preprocessing` of
 *     bundle.json.
 */
export function square({data, width, height}, how) {
  const short = Math.min(width, height);
  const side = Math.max(1, Math.trunc(Math.fround(Math.fround(how.crop) * short)));
  const left = (width - side + 1) >> 1;
  const top = (height - side + 1) >> 1;
  const size = how.resolution;
  const {index, weight, count} = taps(side, size, how.interpolation);
  const across = new Float32Array(size * 3);
  const resized = new Uint8Array(size * size * 3);
  const rows = new Map();
  // Across first, then down, each sum in single precision: Float32Array and fround round to it.
  const narrow = (row) => {
    if (rows.has(row)) return rows.get(row);
    const start = (top + row) * width + left;
    for (let x = 0; x < size; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let tap = x * count; tap < (x + 1) * count; tap++) {
          const value = data[4 * (start + index[tap]) + channel];
          sum = Math.fround(sum + Math.fround(value * weight[tap]));
        }
        across[3 * x + channel] = sum;
      }
    }
    if (rows.size > count) rows.delete(rows.keys().next().value);
    rows.set(row, across.slice());
    return rows.get(row);
  };
  for (let y = 0; y < size; y++) {
    const lines = [];
    for (let tap = 0; tap < count; tap++) lines.push(narrow(index[y * count + tap]));
    for (let place = 0; place < size * 3; place++) {
      let sum = 0;
      for (let tap = 0; tap < count; tap++) {
        sum = Math.fround(sum + Math.fround(lines[tap][place] * weight[y * count + tap]));
      }
      resized[y * size * 3 + place] = Math.min(255, Math.max(0, nearestEven(sum)));
    }
  }
  return resized;
}

/** Which pixels make each new one, with which weights: TensorFlow's first resize kernels. */
export function taps(length, size, interpolation) {
  const f = Math.fround;
  const count = interpolation === 'bilinear' ? 2 : 4;
  const index = new Int32Array(size * count);
  const weight = new Float32Array(size * count);
  const scale = f(length / size);
  for (let place = 0; place < size; place++) {
    const position = f(place * scale);
    const before = Math.floor(position);
    const offset = f(position - before);
    weight.set(count === 2 ? [f(1 - offset), offset] : cubic(offset), place * count);
    for (let tap = 0; tap < count; tap++) {
      const wanted = before + 1 - count / 2 + tap;
      index[place * count + tap] = Math.min(length - 1, Math.max(0, wanted));
    }
  }
  return {index, weight, count};
}

/** Keys' kernel, a = -0.75, read off a table of 1024 steps; in single precision. */
function cubic(offset) {
  const f = Math.fround;
  const a = f(-0.75);
  const t = f(nearestEven(f(offset * 1024)) / 1024);
  const near = (x) => f(f(f(f(f(f(a + 2) * x) - f(a + 3)) * x) * x) + 1);
  const far = (x) => {
    const d = f(x + 1);
    const first = f(f(f(a * d) - f(5 * a)) * d);
    return f(f(f(first + f(8 * a)) * d) - f(4 * a));
  };
  return [far(t), near(t), near(f(1 - t)), far(f(1 - t))];
}

/**
 * Pixels as the model's input takes them: as they are, normalised, or quantized.
 *
 * @param {object} model an entry of `models` in bundle.json.
 * @param {Uint8Array} pixels as `square` gives them.
 */
export function modelInput(model, pixels) {
  if (model.takes_bytes) return pixels;
  const {dtype, scale, zero_point: zeroPoint} = model.input;
  const {mean, std} = model.normalization;
  const f = Math.fround;
  const value = (pixel, place) => f(f(pixel - f(mean[place % 3])) / f(std[place % 3]));
  if (dtype === 'float32') return Float32Array.from(pixels, value);
  if (dtype !== 'uint8') throw new Error(`LiteRT.js takes no ${dtype} input`);
  const quantized = (pixel, place) =>
    Math.min(255, Math.max(0, nearestEven(value(pixel, place) / scale) + zeroPoint));
  return Uint8Array.from(pixels, quantized);
}

/** The real values of a raw output: scale * (value - zero point). */
export function scores(model, raw) {
  const {scale, zero_point: zeroPoint} = model.output;
  if (scale === null) return Float32Array.from(raw);
  return Float32Array.from(raw, (value) => scale * (value - zeroPoint));
}

/** Rounds to the nearest whole number, halves to the even one, as numpy does. */
export function nearestEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
