// node browser.mjs MODULES MODELS CHROMIUM: the same cases in a headless browser, on
// onnxruntime-web. Serves the page, the packages and the models on a port of this machine, and
// reaches for nothing else. Exits with 1 and says what differed.

import { spawn } from 'node:child_process';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [modules, models, chromium] = process.argv.slice(2);
const here = fileURLToPath(new URL('.', import.meta.url));
const roots = { '/modules/': resolve(modules), '/models/': resolve(models), '/': here };
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
/** A browser that says nothing for so long has failed. */
const PATIENCE = 240_000;

let browser;
const profile = await mkdtemp(join(tmpdir(), 'fluxo-browser-'));
const said = [];

async function finish(failures) {
  browser?.removeAllListeners('exit').kill('SIGKILL');
  await rm(profile, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  console.log(failures.join('\n') || 'every model agrees in the browser');
  process.exit(failures.length ? 1 : 0);
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST') {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.end();
    return finish(JSON.parse(Buffer.concat(parts)));
  }
  const root = Object.keys(roots).find((prefix) => pathname.startsWith(prefix));
  const path = join(roots[root], pathname.slice(root.length));
  try {
    const content = await readFile(path);
    response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
    response.end(content);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});

server.listen(0, '127.0.0.1', () => {
  const page = `http://127.0.0.1:${server.address().port}/page.html`;
  browser = spawn(chromium, [
    '--headless',
    '--no-sandbox', // it opens this page alone, often as root in a container
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--enable-logging=stderr',
    `--user-data-dir=${profile}`,
    page,
  ]);
  browser.stderr.on('data', (text) => said.push(text));
  browser.on('error', (error) => finish([`${chromium} did not start: ${error.message}`]));
  browser.on('exit', (code) => finish([`${chromium} ended with ${code}`, ...said.slice(-20)]));
});
setTimeout(() => finish(['the browser gave no answer', ...said.slice(-20)]), PATIENCE);
