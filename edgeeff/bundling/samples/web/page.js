// The page: drop a picture, see the answer.

import {Classifier, openBundle, selfCheck, start} from './classifier.js';

const RUNTIME = new URL('./node_modules/@litertjs/core/wasm/', import.meta.url).href;
const ROOT = new URL('../../', import.meta.url);

const at = (id) => document.getElementById(id);
let bundle;
let classifier;

async function main() {
  await start(RUNTIME);
  bundle = await openBundle(ROOT);
  at('title').textContent = `${bundle.name} ${bundle.version}`.trim();
  at('model').append(...bundle.models.map((model, number) => new Option(model.file, number)));
  for (const id of ['model', 'accelerator']) at(id).addEventListener('change', () => shown(choose()));
  at('check').addEventListener('click', () => shown(check()));
  at('file').addEventListener('change', () => shown(answer(at('file').files[0])));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    shown(answer(event.dataTransfer.files[0]));
  });
  await choose();
}

/** Says that something is under way, that it is done, or why it failed. */
async function shown(work) {
  document.body.dataset.state = 'busy';
  at('status').textContent = 'working …';
  try {
    await work;
    at('status').textContent = at('status').textContent.replace('working …', 'ready');
    document.body.dataset.state = 'ready';
  } catch (error) {
    at('status').textContent = String(error.message ?? error);
    document.body.dataset.state = 'failed';
  }
}

async function choose() {
  classifier?.close();
  classifier = undefined;
  const model = bundle.models[Number(at('model').value)];
  classifier = await Classifier.open(bundle, model, at('accelerator').value);
  if (classifier.accelerator !== 'wasm' && !classifier.accelerated) {
    at('status').textContent = 'ready, but the CPU does part of the work, or all';
  }
}

async function answer(file) {
  if (!file) return;
  if (!classifier) throw new Error('no model is loaded');
  const {classes, pixels} = await classifier.classify(await upright(file));
  draw(pixels, classifier.model.preprocessing.resolution);
  at('answer').replaceChildren(...classes.map(({name, score}) => {
    const line = document.createElement('li');
    line.style.setProperty('--score', score);
    line.append(name, Object.assign(document.createElement('b'), {textContent: percent(score)}));
    return line;
  }));
}

/** The pixels of a picture file, upright by its EXIF orientation, on white, no colour profile. */
async function upright(file) {
  const bitmap = await createImageBitmap(file, {
    imageOrientation: 'from-image',
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
  });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.fillStyle = 'white';
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Shows what the network saw. */
function draw(pixels, side) {
  const image = new ImageData(side, side);
  for (let place = 0; place < side * side; place++) {
    image.data.set([...pixels.subarray(3 * place, 3 * place + 3), 255], 4 * place);
  }
  Object.assign(at('seen'), {width: side, height: side, hidden: false});
  at('seen').getContext('2d').putImageData(image, 0, 0);
}

async function check() {
  const model = bundle.models[Number(at('model').value)];
  const rows = [];
  for (const accelerator of ['wasm', 'webgpu']) {
    try {
      rows.push(...await selfCheck(bundle, model, accelerator));
    } catch (error) {
      rows.push({accelerator, picture: '', failed: String(error.message ?? error)});
    }
  }
  at('checked').replaceChildren(...rows.map((row) => {
    const line = document.createElement('li');
    line.textContent = `${row.accelerator}: ${row.picture} ${said(row)}`;
    return line;
  }));
  at('checked').dataset.rows = JSON.stringify(rows);
}

function said({failed, differing, steps, off, passes, suspect}) {
  if (failed) return `cannot be used: ${failed}`;
  const size = steps === null ? off.toPrecision(2) : `${steps} quantization steps`;
  const found = differing === 0 ? 'equal' : `off by up to ${size} in ${differing} values`;
  return [found, passes ? 'passes' : 'TOO FAR', suspect].filter(Boolean).join('; ');
}

const percent = (score) => `${(100 * score).toFixed(1)}%`;

shown(main());
