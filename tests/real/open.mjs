// node open.mjs MODULES MODELS CASE.json: one exported folder in transformers.js, beside what
// transformers gave. Writes what it found on one line; exits with 1 where something differs.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// The project's bound between two runtimes in float32.
const LARGEST = 2e-5;

const [modules, models, file] = process.argv.slice(2);
const entry = resolve(modules, '@huggingface/transformers/dist/transformers.node.mjs');
const lib = await import(pathToFileURL(entry));
lib.env.allowRemoteModels = false;
lib.env.localModelPath = resolve(models);
const one = JSON.parse(await readFile(file, 'utf8'));

const Kind = {
  text: lib.AutoModelForCausalLM,
  text2text: lib.AutoModelForSeq2SeqLM,
  speech: lib.AutoModelForSpeechSeq2Seq,
}[one.kind] ?? autoOf(one.auto);
const model = await Kind.from_pretrained(one.model, { dtype: 'fp32' });

const found = [];
let failed = false;
if (one.kind === 'vectors' || one.kind === 'image') await values();
else await greedy();
if (one.texts.length) await tokens();
console.log(found.join(', '));
process.exit(failed ? 1 : 0);

/** The class for a model of the class `name` of transformers. */
function autoOf(name) {
  const kinds = ['ForMaskedLM', 'ForSequenceClassification'];
  const kind = kinds.find((ending) => name.endsWith(ending));
  return kind ? lib[`AutoModel${kind}`] : lib.AutoModel;
}

/** The tensors whose names start with `prefix`. */
function given(prefix) {
  const own = Object.entries(one.tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, { type, dims, data }]) => {
    const whole = type === 'int64';
    const values = whole ? BigInt64Array.from(data, BigInt) : Float32Array.from(data);
    return [name.slice(prefix.length), new lib.Tensor(whole ? 'int64' : 'float32', values, dims)];
  }));
}

/** Every output at the positions that the mask keeps. */
async function values() {
  const inputs = given('in.');
  const outputs = await model(inputs);
  const mask = inputs.attention_mask?.tolist();
  let worst = 0;
  for (const [name, wanted] of Object.entries(given('out.'))) {
    const [ours, theirs] = [outputs[name].data, wanted.data];
    if (ours.length !== theirs.length) throw new Error(`${name}: ${ours.length} numbers`);
    const scale = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const width = wanted.dims.at(-1);
    const columns = wanted.dims[1];
    ours.forEach((value, i) => {
      const position = Math.floor(i / width);
      const row = mask && wanted.dims.length === 3 && mask[Math.floor(position / columns)];
      if (row && Number(row[position % columns]) === 0) return;
      const error = Math.abs(value - theirs[i]) / scale;
      if (!(error <= worst)) worst = error;
    });
  }
  failed ||= !(worst <= LARGEST);
  found.push(`values ${worst.toExponential(1)}`);
}

/** Each text alone, token by token with a cache. */
async function greedy() {
  const rows = one.greedy.rows;
  let same = 0;
  for (const row of rows) {
    const written = await model.generate(one.kind === 'speech' ? await heard() : {
      inputs: integers(row.prompt),
      attention_mask: integers(row.prompt.map(() => 1)),
      max_new_tokens: one.greedy.max_new_tokens,
      do_sample: false,
    });
    const all = written.tolist()[0].map(Number);
    same += ends(all, row.ids) ? 1 : 0;
  }
  failed ||= same !== rows.length;
  found.push(`greedy ${same} of ${rows.length}`);
}

/** One row of them. */
function integers(row) {
  return new lib.Tensor('int64', BigInt64Array.from(row, BigInt), [1, row.length]);
}

/** What Whisper reads: the features that transformers made of the sound. */
async function heard() {
  return { inputs: given('in.').input_features, max_new_tokens: 440 };
}

/** Whether `all` is a prompt and then `ids`, with or without the token that ends a text. */
function ends(all, ids) {
  const [whole, text] = [all.join(), ids.join()];
  return whole.endsWith(text) || all.slice(0, -1).join().endsWith(text);
}

/** Token numbers of the texts. */
async function tokens() {
  const tokenizer = await lib.AutoTokenizer.from_pretrained(one.model);
  const prompts = one.greedy.rows.map((row) => row.prompt).filter(Boolean);
  let same = 0;
  for (const [i, text] of one.texts.entries()) {
    const ids = (await tokenizer(text)).input_ids.tolist()[0].map(Number);
    const wanted = prompts[i] ?? given('in.').input_ids.tolist()[i].map(Number);
    same += ids.join() === wanted.slice(0, ids.length).join() ? 1 : 0;
  }
  failed ||= same !== one.texts.length;
  found.push(`token numbers ${same} of ${one.texts.length}`);
}
