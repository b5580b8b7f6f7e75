// node node.mjs MODULES MODELS: every case of MODELS/cases.json in Node, with the packages in
// the folder MODULES. Exits with 1 and says what differed.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { check } from './checks.mjs';

const [modules, models] = process.argv.slice(2);
const file = resolve(modules, '@huggingface/transformers/dist/transformers.node.mjs');
const transformers = await import(pathToFileURL(file));
transformers.env.allowRemoteModels = false;
transformers.env.localModelPath = resolve(models);
const cases = JSON.parse(await readFile(resolve(models, 'cases.json'), 'utf8'));
const failures = await check(transformers, cases);
console.log(failures.join('\n') || `${cases.length} models agree in Node`);
process.exit(failures.length ? 1 : 0);
